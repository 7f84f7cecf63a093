#include <gradmill/graph/planning/gates.h>
#include <gradmill/graph/planning/memory_planner.h>
#include <gradmill/graph/planning/schedule.h>
#include <gradmill/runtime/plan/step_cost.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "random_plan.h"
#include "sound_memory.h"

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

/// Edges are there, costs differ, so that one path is the longest; memory is not planned.
Plan ordered_plan(std::uint64_t seed, int steps) {
  Plan plan = random_plan(seed, {.steps = steps});
  std::mt19937_64 random(seed + 1000);
  for (PlanStep& step : plan.steps) {
    step.flops = static_cast<double>(random() % 1'000'000);
    step.bytes_moved = static_cast<double>(random() % 100'000);
    step.tiles = static_cast<std::int64_t>(1 + random() % 20);
  }
  derive_predecessors(plan);
  return plan;
}

/// The steps of the path that takes longest, found from its end.
std::vector<int> most_expensive_path(const Plan& plan) {
  const int count = static_cast<int>(plan.steps.size());
  std::vector<double> rest(plan.steps.size(), 0);  // from the step on, itself included
  std::vector<int> next(plan.steps.size(), -1);
  for (int i = count - 1; i >= 0; --i) {
    rest[at(i)] += estimated_seconds(plan.steps[at(i)]);
    for (const int p : plan.steps[at(i)].predecessors) {
      if (rest[at(i)] <= rest[at(p)]) continue;
      rest[at(p)] = rest[at(i)];
      next[at(p)] = i;
    }
  }
  std::vector<int> path;
  const auto first = std::max_element(rest.begin(), rest.end()) - rest.begin();
  for (int i = static_cast<int>(first); i >= 0; i = next[at(i)]) path.push_back(i);
  return path;
}

std::int64_t tiles_between(const Plan& plan, int before, int after) {
  std::int64_t tiles = 0;
  for (int i = before + 1; i < after; ++i) tiles += plan.steps[at(i)].tiles;
  return tiles;
}

void expect_predecessors_in_order(const Plan& plan) {
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const std::vector<int>& list = plan.steps[i].predecessors;
    EXPECT_TRUE(std::ranges::is_sorted(list));
    EXPECT_EQ(std::set<int>(list.begin(), list.end()).size(), list.size()) << "doubled";
    EXPECT_TRUE(list.empty() || (list.front() >= 0 && list.back() < static_cast<int>(i)));
  }
}

class Gates : public testing::TestWithParam<std::int64_t> {};

TEST_P(Gates, HoldBackWhatIsFarFromTheLongestPath) {
  const std::int64_t lookahead = GetParam();
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const int count = 1 + static_cast<int>(seed) * 2;
    const Plan plain = ordered_plan(seed, count);
    Plan gated = plain;
    add_gates(gated, Precedence(plain.steps), lookahead);
    expect_predecessors_in_order(gated);
    const std::vector<int> path = most_expensive_path(plain);
    const std::set<int> gates(path.begin(), path.end());
    const Reachability reachable(gated.steps);
    for (const int gate : path) {
      for (int step = 0; step < count; ++step) {
        if (step > gate) {
          EXPECT_TRUE(reachable.before(gate, step)) << gate << ' ' << step;
        } else if (step < gate && tiles_between(plain, step, gate) >= lookahead) {
          EXPECT_TRUE(reachable.before(step, gate)) << step << ' ' << gate;
        }
      }
    }
    // No more is held back than that.
    for (int step = 0; step < count; ++step) {
      const std::vector<int>& old = plain.steps[at(step)].predecessors;
      const std::vector<int>& now = gated.steps[at(step)].predecessors;
      EXPECT_TRUE(std::ranges::includes(now, old));
      for (const int p : now) {
        if (std::ranges::binary_search(old, p) || gates.contains(p)) continue;
        EXPECT_TRUE(gates.contains(step)) << p << ' ' << step;
        EXPECT_GE(tiles_between(plain, p, step), lookahead) << p << ' ' << step;
      }
    }
    if (HasFailure()) return;
  }
}

TEST_P(Gates, LeaveTheLongestPathAsItWas) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Plan plan = ordered_plan(seed, 60);
    const std::vector<int> path = most_expensive_path(plan);
    add_gates(plan, Precedence(plan.steps), GetParam());
    // Along the path steps are still neighbours: nothing that was beside it came in between.
    for (std::size_t k = 1; k < path.size(); ++k) {
      EXPECT_TRUE(std::ranges::binary_search(plan.steps[at(path[k])].predecessors, path[k - 1]));
    }
  }
}

TEST_P(Gates, ShareBytesOnlyWhereEveryScheduleStillPermits) {
  std::size_t with = 0;
  std::size_t without = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Plan plan = ordered_plan(seed, 60);
    Plan gated = plan;
    plan_memory(plan, Precedence(plan.steps));
    add_gates(gated, Precedence(gated.steps), GetParam());
    plan_memory(gated, Precedence(gated.steps));
    expect_sound_memory(gated);
    for (std::uint64_t order = 0; order < 5; ++order) expect_intact_in_random_order(gated, order);
    if (HasFailure()) return;
    with += gated.arena_bytes;
    without += plan.arena_bytes;
  }
  if (GetParam() < 1000) {
    EXPECT_LT(with, without);
  }
}

INSTANTIATE_TEST_SUITE_P(Lookaheads, Gates, testing::Values(0, 1, 30, 100, 1'000'000));

TEST(GatesOfNothing, AddNothing) {
  Plan plan;
  add_gates(plan, Precedence(plan.steps), 0);
  chain_steps(plan);
  EXPECT_TRUE(plan.steps.empty());
}

TEST(ChainedSteps, FollowEachOther) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Plan plan = ordered_plan(seed, 40);
    Plan free = plan;
    chain_steps(plan);
    EXPECT_TRUE(plan.steps[0].predecessors.empty());
    for (int i = 1; i < 40; ++i) {
      EXPECT_EQ(plan.steps[at(i)].predecessors, std::vector<int>{i - 1});
    }
    plan_memory(plan, Precedence(plan.steps));
    plan_memory(free, Precedence(free.steps));
    expect_sound_memory(plan);
    expect_intact_in_random_order(plan, 0);
    EXPECT_LE(plan.arena_bytes, plan.unshared_bytes == 0 ? free.arena_bytes : plan.unshared_bytes);
  }
}

}  // namespace
}  // namespace gradmill
