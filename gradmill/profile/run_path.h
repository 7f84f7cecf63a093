#pragma once

#include <cstdint>
#include <vector>

#include <gradmill/runtime/trace.h>

namespace gradmill {

/// A step on the path that decided how long a run took, in nanoseconds.
struct PathStep {
  int step = 0;               ///< of the plan
  std::int64_t begin_ns = 0;  ///< of its first tile, after the begin of the run
  std::int64_t ns = 0;        ///< from there to where the next step of the path waited for it
  std::int64_t wait_ns = 0;   ///< before its begin, from the end of `ns` of the step before it
  /// What it waited for was its worker, which the step before held; else that step's result.
  bool for_worker = false;
};

/// The critical path of a run as it went, from the step that ended last back to the begin of the
/// run: each time to the predecessor that ended last, or, where the step was ready and its worker
/// still had another step's tile, to that step. Times and waits together reach from the begin of
/// the run to the end of its last tile. Empty for a run without tiles.
GRADMILL_API std::vector<PathStep> run_path(const Plan& plan, const TracedRun& run);

}  // namespace gradmill
