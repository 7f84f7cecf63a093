#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/bench_peer.h"
#include "commands/commands.h"

namespace gradmill {

/// A peer under one setting, beside one workload.
struct PeerRow {
  std::string peer;
  PeerSetting setting;
  std::optional<Sample> scout;  ///< one short run, to see which settings to take into the rounds
  std::vector<Sample> rounds;   ///< in turns with ours; empty for what was left behind
  std::string problem;          ///< how it failed; empty when it did not

  /// Milliseconds a step: the median of the rounds, or else the scouted.
  std::optional<double> ms() const;
  std::optional<double> growth_bytes() const;
};

/// A workload at a number of threads: each sample is a process of its own.
struct BenchRow {
  std::string workload;
  int threads = 1;
  std::vector<Sample> ours;
  std::vector<std::string> limits;  ///< JSON lines of the limit, one a round
  std::vector<PeerRow> peers;

  double ms() const;
  /// The fastest of the rounds; null without peers.
  const PeerRow* best_peer() const;
  /// How many times as fast as `peer` ours is: the median over rounds of the neighbours' ratio.
  double times_as_fast_as(const PeerRow& peer) const;
  /// A number of our own samples, and one of the limit's: the median over rounds.
  double our(const char* key) const;
  double limit(const char* key) const;
  /// Limit over step, the median over rounds.
  double fraction_of_limit() const;
};

/// Measures a row: each peer shortly under each of its settings, then, in turns, ours, the limit
/// and each peer under its best setting, but for peers that were 1.5 times as slow as the best.
/// Throws Failure when one of our own processes fails; what a peer does wrong is kept with it.
BenchRow measure_row(const BenchOptions& options, const std::vector<Peer>& peers,
                     const std::string& workload, int threads);

/// Calls this program with `arguments` in a process of its own; its last line. Throws Failure when
/// that fails.
std::string own_line(const std::vector<std::string>& arguments, double timeout);

}  // namespace gradmill
