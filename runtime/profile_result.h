#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gradmill/runtime/trace.h>

namespace gradmill {

/// What a worker did, or why it did nothing.
enum class Spent : std::uint8_t {
  busy,            ///< it ran a tile
  dispatch,        ///< a tile was ready, and nobody had taken it yet
  nothing_ready,   ///< all that was left waited for what ran, several steps of one tile each
  serial_section,  ///< all that was left waited for one step of a single tile
  too_few_tiles,   ///< what ran has fewer tiles than there are workers
  uneven_tiles,    ///< what ran has tiles enough, but the last of them ended late
};
inline constexpr std::size_t kSpentKinds = 6;

/// "nothing_ready".
GRADMILL_API std::string_view to_string(Spent spent);

/// A step on the path that decided how long a run took, in nanoseconds.
struct PathStep {
  int step = 0;               ///< of the plan
  std::int64_t begin_ns = 0;  ///< of its first tile, after the start of the run
  std::int64_t ns = 0;        ///< from there to where the next step of the path waited for it
  std::int64_t wait_ns = 0;   ///< before its start, from the end of `ns` of the step before it
  /// What it waited for was its worker, which the step before held; else that step's result.
  bool for_worker = false;
};

/// What the machine can do with all threads together; 0 where it is not known.
struct MachinePeaks {
  double gflops = 0;         ///< 1e9 floating point operations a second
  double bandwidth_gbs = 0;  ///< 1e9 bytes a second from and to memory
};

struct ProfileOptions {
  std::string title = {};
  std::string processor = {};
  int cores = 0;
  MachinePeaks peaks = {};
  /// What the flow graph costs a tile, for predictions; see `measure_dispatch`.
  double dispatch_ms = 0;
  /// Workers to predict a step for.
  std::vector<int> workers = {1, 2, 4, 8, 16, 32, 64, 128};
  /// No prediction is faster than its bytes through memory at so many GB/s; 0 for no such cap.
  double bandwidth_cap_gbs = 0;
  /// Threads, and the GFLOP/s of products that so many reach together, each with its own. Threads
  /// share caches, memory and clock, and two may share a core: tiles that were recorded while one
  /// number of them ran are predicted for another in proportion to what each of them then gets.
  /// With more workers than are listed, a tile takes what it takes with the largest number listed.
  /// Empty: tiles take the same time beside any number of others.
  std::vector<std::pair<int, double>> compute_rates = {};
  /// What a step takes on one thread when the thread before it ran on another core, by what it
  /// takes when it stays: with more workers, data moves between their caches. Of n workers, one
  /// finds (n - 1) / n of its data with the others, and its tiles are predicted to take that part
  /// of the difference longer. At least 1.
  double migration = 1;
  /// Threads, and the milliseconds that a step was measured to take with them.
  std::vector<std::pair<int, double>> measured = {};
};

/// What one step of the plan does in a run.
struct NodeProfile {
  double self_ms = 0;  ///< of all its tiles together; the median over the runs
  double share = 0;    ///< of all nodes' time
  double longest_tile_ms = 0;
  double gflops = 0;         ///< of one thread: FLOPs by self time; 0 where it has none
  double gbs = 0;            ///< likewise the bytes
  double peak_fraction = 0;  ///< of one thread's roofline; 0 where that is not known
  bool critical = false;     ///< on the critical path
  std::size_t live_bytes = 0;
};

/// The nodes of one op together.
struct OpProfile {
  std::string op;
  int nodes = 0;
  std::int64_t calls = 0;  ///< tiles per run
  double self_ms = 0;
  double share = 0;
  double gflops = 0;
  double gbs = 0;
  double peak_fraction = 0;
};

/// What the plan's arena holds, in plan order.
struct MemoryProfile {
  std::vector<std::size_t> live_bytes;  ///< one per step of the plan, while it runs
  std::size_t peak_bytes = 0;
  int peak_step = -1;              ///< the first that reaches it
  std::vector<int> peak_buffers;   ///< alive then, the largest first
  std::size_t variable_bytes = 0;  ///< parameters and optimizer state, beside the arena
};

/// A step on so many workers: the measured tiles, scheduled over the graph's own dependencies.
struct Prediction {
  int workers = 1;
  double ms = 0;
  double speedup = 1;      ///< over one worker
  double efficiency = 1;   ///< by workers
  double measured_ms = 0;  ///< 0 where it was not measured
};

struct ScalingProfile {
  double work_ms = 0;           ///< all tiles on one worker, one after the other
  double critical_path_ms = 0;  ///< the longest chain of longest tiles: no number gets below
  double bytes = 0;             ///< moved a step
  double dispatch_ms = 0;
  double bandwidth_cap_gbs = 0;
  std::vector<Prediction> predictions;
};

/// Where the time of a session's runs went.
struct Profile {
  ProfileOptions options;
  Trace trace;

  double median_ms = 0;  ///< of whole runs
  double p10_ms = 0;
  double p90_ms = 0;

  std::vector<OpProfile> ops;      ///< those with the most time first
  std::vector<NodeProfile> nodes;  ///< one per step of the plan
  /// Of all threads, the fraction of their time; by `Spent`. Adds up to 1.
  std::array<double, kSpentKinds> spent = {};
  std::size_t path_run = 0;  ///< index in the trace: the run whose duration is the median
  std::vector<PathStep> path;
  MemoryProfile memory;
  ScalingProfile scaling;

  double path_waiting_ms() const;
};

}  // namespace gradmill
