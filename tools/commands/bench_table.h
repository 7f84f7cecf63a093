#pragma once

#include <string>
#include <vector>

#include "commands/bench_machine.h"
#include "commands/bench_rows.h"

namespace gradmill {

/// The first line: machine, version, and how it was measured.
std::string bench_header(const Machine& machine, const BenchOptions& options);

/// The names of the main table's columns.
std::string bench_titles(const BenchOptions& options);

/// A row of the main table. `one_thread` is the workload's row at one thread, null when there is
/// none.
std::string bench_line(const BenchRow& row, const BenchRow* one_thread);

/// The limit of each row, its parts, and which fraction of the machine's peak the step reaches.
std::string limits_table(const std::vector<BenchRow>& rows);

/// All peers under all settings; empty without peers.
std::string peers_table(const std::vector<BenchRow>& rows);

}  // namespace gradmill
