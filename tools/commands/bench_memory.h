#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/bench_rows.h"

namespace gradmill {

/// By how much a row's process grew beyond parameters and optimizer state, minus what the same
/// program grew on mlp-small with as many threads, which is its libraries warming up; not below
/// zero. Null for mlp-small itself, and where that was not measured.
std::optional<double> growth_less_warm_up(const std::vector<BenchRow>& rows, const BenchRow& row);
/// The same for a peer of that row, under its setting.
std::optional<double> growth_less_warm_up(const std::vector<BenchRow>& rows, const BenchRow& row,
                                          const PeerRow& peer);

/// Memory beyond parameters and optimizer state: what the plan takes, what a plan without fusion
/// and without reuse would take, and by how much the processes of gradmill and of each peer grew.
std::string memory_table(const std::vector<BenchRow>& rows);

}  // namespace gradmill
