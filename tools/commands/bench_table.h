#pragma once

#include <string>
#include <vector>

#include "commands/bench_machine.h"
#include "commands/bench_rows.h"

namespace gradmill {

/// What the table starts with: machine, versions, how it was measured, and the names of the
/// columns.
std::string bench_header(const Machine& machine, const BenchOptions& options);

/// A row of the main table. `one_thread` is the workload's row at one thread, null when there is
/// none.
std::string bench_line(const BenchRow& row, const BenchRow* one_thread);

/// What the machine reaches, and of what the limit of each row consists.
std::string limits_table(const std::vector<BenchRow>& rows);

/// All peers under all settings; empty without peers.
std::string peers_table(const std::vector<BenchRow>& rows);

/// Everything that was measured.
std::string bench_json(const Machine& machine, const BenchOptions& options,
                       const std::vector<BenchRow>& rows);

}  // namespace gradmill
