#include <gradmill/graph/planning/place.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include <gradmill/graph/planning/gates.h>
#include <gradmill/graph/planning/memory_planner.h>
#include <gradmill/graph/planning/schedule.h>

namespace gradmill {
namespace {

// Tiles that may run ahead: some for each of as many threads as a machine may have.
constexpr std::int64_t kLookahead = 64;

// Bytes of an arena for which steps are held back unasked.
constexpr std::size_t kWorthSaving = std::size_t{16} << 20;

struct Placed {
  Plan plan;
  std::vector<int> numbers;  // the new one of each buffer
};

class Placer {
 public:
  Placer(const std::vector<InPlaceWish>& wishes, std::size_t arena_budget)
      : wishes_(wishes), arena_budget_(arena_budget) {}

  // Holds steps back only where that saves memory worth it, and no more than the budget asks for.
  Placed run(Plan plan) const {
    const Precedence precedence = derive_predecessors(plan);
    const std::size_t enough = std::min(arena_budget_, kWorthSaving);
    // Small even without reuse: there is nothing to compare with, so no copy is needed.
    if (plan.unshared_bytes <= enough) return placed(std::move(plan), precedence);
    Placed best = placed(plan, precedence);
    const auto try_with = [&](auto&& hold_back) {
      Plan held = plan;
      hold_back(held);
      const Precedence order(held.steps);
      Placed found = placed(std::move(held), order);
      if (found.plan.arena_bytes < best.plan.arena_bytes) best = std::move(found);
    };
    if (best.plan.arena_bytes > enough) {
      Placed free = best;
      try_with([&](Plan& held) { add_gates(held, precedence, kLookahead); });
      const bool fits = free.plan.arena_bytes <= arena_budget_;
      if (fits && free.plan.arena_bytes - best.plan.arena_bytes < kWorthSaving) {
        best = std::move(free);
      }
    }
    if (best.plan.arena_bytes > arena_budget_) {
      try_with([&](Plan& held) { add_gates(held, precedence, 0); });
    }
    if (best.plan.arena_bytes > arena_budget_) try_with(chain_steps);
    return best;
  }

 private:
  Placed placed(Plan plan, const Precedence& precedence) const {
    Placed result{std::move(plan), {}};
    result.numbers = write_in_place(result.plan, precedence, wishes_);
    plan_memory(result.plan, precedence);
    return result;
  }

  const std::vector<InPlaceWish>& wishes_;
  std::size_t arena_budget_;
};

}  // namespace

GraphPlan place(Lowered lowered, std::size_t arena_budget) {
  GraphPlan& result = lowered.unplaced;
  Placed placed = Placer(lowered.in_place, arena_budget).run(std::move(result.plan));
  result.plan = std::move(placed.plan);
  for (auto* list : {&result.roots, &result.inputs}) {
    for (int& buffer : *list) {
      if (buffer >= 0) buffer = placed.numbers[static_cast<std::size_t>(buffer)];
    }
  }
  return std::move(result);
}

}  // namespace gradmill
