#pragma once

#include <string>
#include <vector>

#include "commands/bench_figures.h"
#include "commands/bench_machine.h"
#include "commands/bench_rows.h"

namespace gradmill {

/// Everything that was measured.
std::string bench_json(const Machine& machine, const BenchOptions& options,
                       const std::vector<BenchRow>& rows, const std::vector<FigureRow>& figures);

}  // namespace gradmill
