#pragma once

// Which steps of a plan touch which buffers.

#include <cstddef>
#include <utility>
#include <vector>

#include <gradmill/runtime/plan.h>

namespace gradmill {

/// Calls `use(step, buffer)` once for every step and every buffer that it reads or writes, in plan
/// order.
template <class Use>
void for_each_use(const Plan& plan, Use&& use) {
  std::vector<int> last(plan.buffers.size(), -1);
  for (int step = 0; step < static_cast<int>(plan.steps.size()); ++step) {
    const PlanStep& planned = plan.steps[static_cast<std::size_t>(step)];
    for (const auto* list : {&planned.inputs, &planned.writes}) {
      for (const int buffer : *list) {
        if (std::exchange(last[static_cast<std::size_t>(buffer)], step) != step) use(step, buffer);
      }
    }
  }
}

}  // namespace gradmill
