#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/bench_rows.h"

namespace gradmill {

/// What a row's process grew beyond parameters and optimizer state, less what the same program grew
/// on mlp-small with as many threads, which is its libraries warming up; not below zero. Null for
/// mlp-small itself, and where that was not measured.
std::optional<double> growth_less_warm_up(const std::vector<BenchRow>& rows, const BenchRow& row);
/// The same for a peer of that row, under its setting.
std::optional<double> growth_less_warm_up(const std::vector<BenchRow>& rows, const BenchRow& row,
                                          const PeerRow& peer);

/// Memory beyond parameters and optimizer state: what the plan takes, what the unfused plan would
/// without reuse, and what the process and those of the peers grew.
std::string memory_table(const std::vector<BenchRow>& rows);

}  // namespace gradmill
