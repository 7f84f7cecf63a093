#include <gradmill/graph/planning/in_place.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include <gradmill/runtime/support/buffer_uses.h>
#include <gradmill/runtime/support/lists.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Leaves out the buffers that lie over others, and renumbers the rest.
std::vector<int> merge(Plan& plan, const std::vector<int>& lies_over) {
  std::vector<int> numbers(lies_over.size(), -1);
  std::vector<PlanBuffer> kept;
  for (int i = 0; i < static_cast<int>(lies_over.size()); ++i) {
    if (lies_over[at(i)] != i) continue;
    numbers[at(i)] = static_cast<int>(kept.size());
    kept.push_back(std::move(plan.buffers[at(i)]));
  }
  for (std::size_t i = 0; i < lies_over.size(); ++i) numbers[i] = numbers[at(lies_over[i])];
  const auto follow = [&](int& buffer) { buffer = numbers[at(buffer)]; };
  for (PlanStep& step : plan.steps) {
    for (auto* list : {&step.inputs, &step.outputs, &step.writes}) {
      std::ranges::for_each(*list, follow);
    }
    if (step.workspace >= 0) follow(step.workspace);
  }
  plan.buffers = std::move(kept);
  return numbers;
}

}  // namespace

std::vector<int> write_in_place(Plan& plan, const Precedence& precedence,
                                std::span<const InPlaceWish> wishes) {
  std::vector<std::pair<int, int>> entries;
  for_each_use(plan, [&](int step, int buffer) { entries.emplace_back(buffer, step); });
  const Lists uses(entries, plan.buffers.size());
  std::vector<int> lies_over(plan.buffers.size());  // itself, or the input that it is written over
  std::iota(lies_over.begin(), lies_over.end(), 0);
  // The last buffer written over one: all uses of those before come before its own, which the node
  // that writes it is one of.
  std::vector<int> newest = lies_over;
  for (const InPlaceWish& wish : wishes) {
    const int input = lies_over[at(wish.input)];
    const PlanBuffer& source = plan.buffers[at(input)];
    const PlanBuffer& target = plan.buffers[at(wish.output)];
    if (lies_over[at(wish.output)] != wish.output || source.place != Place::arena || source.keep ||
        source.bytes != target.bytes) {
      continue;
    }
    const bool last_use = std::ranges::all_of(uses[newest[at(input)]], [&](int use) {
      return (use >= wish.first_step && use < wish.first_step + wish.steps) ||
             precedence.before(use, wish.first_step);
    });
    // A second output of the same node must not land on the same input.
    const bool free = std::ranges::none_of(plan.steps[at(wish.first_step)].outputs, [&](int other) {
      return lies_over[at(other)] == input;
    });
    if (!last_use || !free) continue;
    lies_over[at(wish.output)] = input;
    plan.buffers[at(input)].keep = target.keep;
    newest[at(input)] = wish.output;
  }
  return merge(plan, lies_over);
}

}  // namespace gradmill
