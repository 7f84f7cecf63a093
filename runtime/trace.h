#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <gradmill/runtime/plan.h>

namespace gradmill {

/// When and where one tile ran, in nanoseconds of `std::chrono::steady_clock`.
struct TracedTile {
  std::int64_t begin_ns;
  std::int64_t end_ns;
  std::int32_t step;  ///< of the plan
  std::int32_t tile;  ///< of that step
  std::int32_t lane;  ///< the worker; 0 is mostly the thread that called `run`
};

/// One run of a plan.
struct TracedRun {
  std::uint64_t number = 0;  ///< counted from 0 by the session
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  std::vector<TracedTile> tiles = {};  ///< in the order of their starts
  bool failed = false;                 ///< it threw: tiles after the one that failed did not run
};

/// What ran in a session while it was traced.
struct Trace {
  std::shared_ptr<const Plan> plan;
  int lanes = 1;  ///< threads; 1 where the plan ran serially
  std::vector<TracedRun> runs = {};
  /// What there was no room for, in whole runs.
  std::uint64_t dropped_runs = 0;
  std::uint64_t dropped_tiles = 0;
};

struct TraceOptions {
  /// Of all runs together, 32 bytes each; whole runs beyond that are dropped, and counted.
  std::size_t max_tiles = std::size_t{1} << 20U;
};

}  // namespace gradmill
