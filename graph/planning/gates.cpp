#include <gradmill/graph/planning/gates.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include <gradmill/runtime/plan/critical_path.h>
#include <gradmill/runtime/plan/step_cost.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

void add_edge(Plan& plan, int before, int after) {
  auto& list = plan.steps[at(after)].predecessors;
  const auto place = std::ranges::lower_bound(list, before);
  if (place == list.end() || *place != before) list.insert(place, before);
}

}  // namespace

void add_gates(Plan& plan, const Precedence& precedence, std::int64_t lookahead) {
  const std::vector<int> gates = critical_path(plan.steps, estimated_seconds(plan)).steps;
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
