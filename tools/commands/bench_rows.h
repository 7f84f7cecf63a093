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
  std::vector<Sample> rounds;   ///< in turns with ours; empty where it was too slow to take part
  std::string problem;          ///< how it failed; empty when it did not

  /// Milliseconds per step: the median of the rounds, or else of the short run.
  std::optional<double> ms() const;
  /// The median of the rounds, or else of the short run; none where the peer does not report it.
  std::optional<double> growth_bytes() const;
  std::optional<double> peak_bytes() const;
};

/// A workload at a number of threads: each sample is a process of its own.
struct BenchRow {
  std::string workload;
  int threads = 1;
  std::vector<Sample> ours;
  std::vector<std::string> limits;  ///< JSON lines of the limit, one per round
  std::vector<PeerRow> peers;

  double ms() const;
  /// The fastest in the rounds; null without peers.
  const PeerRow* best_peer() const;
  /// How many times as fast as `peer` ours is: the median over rounds of the ratio within a round.
  double times_as_fast_as(const PeerRow& peer) const;
  /// A value of our own samples, and one of the limit's: the median over rounds.
  double our(const char* key) const;
  double limit(const char* key) const;
  /// Limit over step, the median over rounds.
  double fraction_of_limit() const;
  /// Operations of the step's products, and bytes that its kernels read and write, over its time.
  double gflop_s() const;
  double gb_s() const;
  /// The speed-up over `one_thread`, divided by the threads; none without such a row.
  std::optional<double> scaling(const BenchRow* one_thread) const;
};

/// The row of `workload` at one thread, null when there is none.
const BenchRow* one_thread_row(const std::vector<BenchRow>& rows, const std::string& workload);

/// Measures a row: first one short run of each peer under each of its settings, then, in turns,
/// ours, the limit, and each peer under its best setting, except peers that took 1.5 times as long
/// as the best. Throws Failure when one of our own processes fails; a peer's failure is stored in
/// its row.
BenchRow measure_row(const BenchOptions& options, const std::vector<Peer>& peers,
                     const std::string& workload, int threads);

/// Calls this program's `bench` with `arguments` in a process of its own, and returns its standard
/// output. Throws Error when they are refused there, Failure when it fails.
std::string own_line(const std::vector<std::string>& arguments, double timeout);

/// `values` is not empty.
double median(std::vector<double> values);

}  // namespace gradmill
