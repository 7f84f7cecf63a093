#include <gradmill/runtime/plan/critical_path.h>

#include <algorithm>
#include <vector>

namespace gradmill {

LongestPath longest_path(const Plan& plan) {
  LongestPath longest;
  std::vector<int> steps(plan.steps.size());
  std::vector<double> flops(plan.steps.size());
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    for (const int p : plan.steps[i].predecessors) {
      steps[i] = std::max(steps[i], steps[static_cast<std::size_t>(p)]);
      flops[i] = std::max(flops[i], flops[static_cast<std::size_t>(p)]);
    }
    steps[i] += 1;
    flops[i] += plan.steps[i].flops;
    longest.steps = std::max(longest.steps, steps[i]);
    longest.flops = std::max(longest.flops, flops[i]);
  }
  return longest;
}

}  // namespace gradmill
