#pragma once

// Where the steps of a plan lie in a traced run.

#include <cstddef>
#include <cstdint>
#include <vector>

#include <gradmill/runtime/trace.h>

namespace gradmill {

/// The tiles of one step, as places in the run's list; -1 where none ran.
struct StepSpan {
  std::int64_t tiles = 0;
  int first = -1;  ///< to begin
  int last = -1;   ///< to end
};

/// One per step of the plan.
inline std::vector<StepSpan> step_spans(const Plan& plan, const TracedRun& run) {
  std::vector<StepSpan> spans(plan.steps.size());
  for (int i = 0; i < static_cast<int>(run.tiles.size()); ++i) {
    const TracedTile& tile = run.tiles[static_cast<std::size_t>(i)];
    StepSpan& span = spans[static_cast<std::size_t>(tile.step)];
    ++span.tiles;
    if (span.first < 0) span.first = i;
    if (span.last < 0 || tile.end_ns > run.tiles[static_cast<std::size_t>(span.last)].end_ns) {
      span.last = i;
    }
  }
  return spans;
}

}  // namespace gradmill
