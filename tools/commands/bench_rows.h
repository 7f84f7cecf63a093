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
  /// The median of the rounds, or else the scouted; none where the peer does not tell.
  std::optional<double> growth_bytes() const;
  std::optional<double> peak_bytes() const;
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
  /// Operations of the step's products, and bytes that its kernels read and write, over its time.
  double gflop_s() const;
  double gb_s() const;
  /// How many times as fast as `one_thread`, a thread; none without such a row.
  std::optional<double> scaling(const BenchRow* one_thread) const;
};

/// The row of `workload` at one thread, null when there is none.
const BenchRow* one_thread_row(const std::vector<BenchRow>& rows, const std::string& workload);

/// Measures a row: each peer shortly under each of its settings, then, in turns, ours, the limit
/// and each peer under its best setting, but for peers that were 1.5 times as slow as the best.
/// Throws Failure when one of our own processes fails; what a peer does wrong is kept with it.
BenchRow measure_row(const BenchOptions& options, const std::vector<Peer>& peers,
                     const std::string& workload, int threads);

/// Calls this program's `bench` with `arguments` in a process of its own; its standard output.
/// Throws Error when they are refused there, Failure when it fails.
std::string own_line(const std::vector<std::string>& arguments, double timeout);

/// `values` is not empty.
double median(std::vector<double> values);

}  // namespace gradmill
