#pragma once

#include <vector>

#include <gradmill/runtime/profile_result.h>

namespace gradmill {

/// The critical path of a run as it went, from the step that ended last back to the start of the
/// run: each time to the predecessor that ended last, or, where the step was ready and its worker
/// still had another step's tile, to that step. Times and waits together reach from the start of
/// the run to the end of its last tile. Empty for a run without tiles.
GRADMILL_API std::vector<PathStep> run_path(const Plan& plan, const TracedRun& run);

}  // namespace gradmill
