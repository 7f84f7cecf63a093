#include <gradmill/graph/memory_planner.h>

#include <algorithm>
#include <numeric>

#include <gradmill/runtime/alignment.h>

namespace gradmill {
namespace {

// The steps that touch a buffer, in plan order. The first writes it, and precedes the others.
std::vector<std::vector<int>> uses_of(const Plan& plan) {
  std::vector<std::vector<int>> uses(plan.buffers.size());
  for (int index = 0; index < static_cast<int>(plan.steps.size()); ++index) {
    const PlanStep& step = plan.steps[static_cast<std::size_t>(index)];
    for (const auto* list : {&step.inputs, &step.writes}) {
      for (const int buffer : *list) {
        std::vector<int>& steps = uses[static_cast<std::size_t>(buffer)];
        if (steps.empty() || steps.back() != index) steps.push_back(index);
      }
    }
  }
  return uses;
}

}  // namespace

void plan_memory(Plan& plan, const Precedence& precedence) {
  const auto uses = uses_of(plan);
  // Whether `a` is done with for good before `b` begins.
  const auto done_before = [&](int a, int b) {
    const auto& first = uses[static_cast<std::size_t>(b)];
    if (plan.buffers[static_cast<std::size_t>(a)].keep || first.empty()) return false;
    return std::ranges::all_of(uses[static_cast<std::size_t>(a)],
                               [&](int use) { return precedence.before(use, first.front()); });
  };

  std::vector<int> order;
  for (int i = 0; i < static_cast<int>(plan.buffers.size()); ++i) {
    if (plan.buffers[static_cast<std::size_t>(i)].place == Place::arena) order.push_back(i);
  }
  std::ranges::stable_sort(order, [&](int a, int b) {
    return plan.buffers[static_cast<std::size_t>(a)].bytes >
           plan.buffers[static_cast<std::size_t>(b)].bytes;
  });

  plan.arena_bytes = 0;
  std::vector<int> placed;  // by offset
  for (const int index : order) {
    PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(index)];
    std::size_t offset = 0;
    for (const int other : placed) {
      const PlanBuffer& taken = plan.buffers[static_cast<std::size_t>(other)];
      if (taken.offset + align_up(taken.bytes) <= offset) continue;
      if (offset + align_up(buffer.bytes) <= taken.offset) break;
      if (!done_before(index, other) && !done_before(other, index)) {
        offset = taken.offset + align_up(taken.bytes);
      }
    }
    buffer.offset = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + align_up(buffer.bytes));
    const auto at = std::ranges::upper_bound(placed, offset, {}, [&](int i) {
      return plan.buffers[static_cast<std::size_t>(i)].offset;
    });
    placed.insert(at, index);
  }
}

}  // namespace gradmill
