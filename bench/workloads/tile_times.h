#pragma once

#include <memory>
#include <vector>

#include <gradmill/runtime/profile/replay.h>

#include "workloads/workload.h"

namespace gradmill::bench {

/// The times of the tiles of a workload's step, run one after the other on one thread.
struct TileTimes {
  std::shared_ptr<const Plan> plan;
  std::vector<ReplayStep> steps;  ///< one per step of the plan
  std::size_t runs = 0;           ///< number of runs, of which the times are medians
  double serial_ms = 0;           ///< the median of a whole step on one thread
  double dispatch_ms = 0;         ///< see `measure_dispatch`
};

/// Runs the workload's plan serially, warm, for about `seconds` and at least 5 times, and times
/// every tile.
TileTimes measure_tiles(const Workload& workload, double seconds);

}  // namespace gradmill::bench
