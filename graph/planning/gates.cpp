#include <gradmill/graph/planning/gates.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// The steps of the longest path, in order. A byte weighs as much as the FLOPs that a core does
// while it gets one from memory.
std::vector<int> longest_path_of(const Plan& plan) {
  constexpr double kFlopsPerByte = 8;
  const int count = static_cast<int>(plan.steps.size());
  std::vector<double> length(plan.steps.size(), 0);
  std::vector<int> before(plan.steps.size(), -1);
  int last = -1;
  for (int i = 0; i < count; ++i) {
    const PlanStep& step = plan.steps[at(i)];
    for (const int p : step.predecessors) {
      if (before[at(i)] < 0 || length[at(p)] > length[at(before[at(i)])]) before[at(i)] = p;
    }
    length[at(i)] = step.flops + kFlopsPerByte * step.bytes_moved +
                    (before[at(i)] < 0 ? 0 : length[at(before[at(i)])]);
    if (last < 0 || length[at(i)] > length[at(last)]) last = i;
  }
  std::vector<int> path;
  for (int i = last; i >= 0; i = before[at(i)]) path.push_back(i);
  std::ranges::reverse(path);
  return path;
}

void add_edge(Plan& plan, int before, int after) {
  auto& list = plan.steps[at(after)].predecessors;
  const auto place = std::ranges::lower_bound(list, before);
  if (place == list.end() || *place != before) list.insert(place, before);
}

}  // namespace

void add_gates(Plan& plan, const Precedence& precedence, std::int64_t lookahead) {
  const std::vector<int> gates = longest_path_of(plan);
  const int count = static_cast<int>(plan.steps.size());
  const auto tiles = [&](int step) { return plan.steps[at(step)].tiles; };
  int retired = 0;           // steps before this one precede the gate
  std::int64_t between = 0;  // tiles of the steps from there up to the gate
  int counted = 0;
  for (std::size_t k = 0; k < gates.size(); ++k) {
    const int gate = gates[k];
    for (; counted < gate; ++counted) between += tiles(counted);
    while (retired < gate && between - tiles(retired) >= lookahead) {
      between -= tiles(retired);
      if (!precedence.before(retired, gate)) add_edge(plan, retired, gate);
      ++retired;
    }
    const int next = k + 1 < gates.size() ? gates[k + 1] : count;
    for (int step = gate + 1; step < next; ++step) {
      if (!precedence.before(gate, step)) add_edge(plan, gate, step);
    }
  }
}

void chain_steps(Plan& plan) {
  for (int i = 1; i < static_cast<int>(plan.steps.size()); ++i) {
    plan.steps[at(i)].predecessors = {i - 1};
  }
}

}  // namespace gradmill
