#include <gmock/gmock.h>
#include <gradmill/gradmill.h>
#include <gradmill/graph/planning/schedule.h>
#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/plan/critical_path.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "programs.h"
#include "random_plan.h"

namespace gradmill {
namespace {

bool has(const std::vector<int>& list, int value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// Whether step `b`, later in the plan, must wait for step `a`, by their effects alone.
bool conflict(const Plan& plan, int first, int second) {
  const PlanStep& a = plan.steps[static_cast<std::size_t>(first)];
  const PlanStep& b = plan.steps[static_cast<std::size_t>(second)];
  for (const int buffer : a.writes) {
    if (has(b.inputs, buffer) || has(b.writes, buffer)) return true;
  }
  for (const int buffer : b.writes) {
    if (has(a.inputs, buffer)) return true;
    const bool variable = plan.buffers[static_cast<std::size_t>(buffer)].place == Place::variable;
    if (variable && a.fallible) return true;
  }
  return false;
}

/// The closure of all conflicts, without a thought to economy.
std::vector<std::vector<bool>> closure(const Plan& plan) {
  const std::size_t count = plan.steps.size();
  std::vector<std::vector<bool>> before(count, std::vector<bool>(count, false));
  for (std::size_t b = 0; b < count; ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      before[b][a] = conflict(plan, static_cast<int>(a), static_cast<int>(b));
    }
  }
  for (std::size_t k = 0; k < count; ++k) {
    for (std::size_t b = 0; b < count; ++b) {
      for (std::size_t a = 0; a < count; ++a) {
        if (before[b][k] && before[k][a]) before[b][a] = true;
      }
    }
  }
  return before;
}

class RandomEffects : public testing::TestWithParam<int> {};

TEST_P(RandomEffects, GiveThePredecessorsThatTheyImplyAndNoMore) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Plan plan = random_plan(seed, {.steps = GetParam()});
    const auto expected = closure(plan);
    derive_predecessors(plan);
    const Reachability reachability(plan.steps);
    const Precedence precedence(plan.steps);
    const int count = static_cast<int>(plan.steps.size());
    for (int b = 0; b < count; ++b) {
      for (int a = 0; a < count; ++a) {
        const bool must = expected[static_cast<std::size_t>(b)][static_cast<std::size_t>(a)];
        ASSERT_EQ(reachability.before(a, b), must) << a << " before " << b;
        ASSERT_EQ(precedence.before(a, b), must) << a << " before " << b;
      }
      const std::vector<int>& predecessors = plan.steps[static_cast<std::size_t>(b)].predecessors;
      for (const int p : predecessors) {
        ASSERT_LT(p, b);
        for (const int other : predecessors) {
          ASSERT_FALSE(reachability.before(p, other)) << p << " -> " << b << " is implied";
        }
      }
      ASSERT_TRUE(std::is_sorted(predecessors.begin(), predecessors.end()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Steps, RandomEffects, testing::Values(1, 2, 7, 30, 70, 130));

TEST(Schedule, AnUpdateFollowsEveryFallibleStepBeforeIt) {
  const auto program = mlp(DType::f32, 8, {6, 5, 4});
  const Session session(
      program->graph,
      {.loss = program->loss, .optimizer = SGD{}, .threads = 1, .check_finite = true});
  const Plan& plan = session.plan();
  const Reachability reachability(plan.steps);
  int fallible = 0;
  int updates = 0;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    if (plan.steps[i].fallible) ++fallible;
    const auto& writes = plan.steps[i].writes;
    if (std::none_of(writes.begin(), writes.end(), [&](int buffer) {
          return plan.buffers[static_cast<std::size_t>(buffer)].place == Place::variable;
        })) {
      continue;
    }
    ++updates;
    for (std::size_t f = 0; f < plan.steps.size(); ++f) {
      if (!plan.steps[f].fallible || f == i) continue;
      EXPECT_TRUE(reachability.before(static_cast<int>(f), static_cast<int>(i)))
          << plan.steps[f].name << " may fail after " << plan.steps[i].name;
    }
  }
  EXPECT_GT(fallible, 0);
  EXPECT_EQ(updates, 4);
}

TEST(Schedule, StepsThatCannotFailHoldNoUpdateBack) {
  // Without labels nothing can fail: an update waits for its own gradient and readers only.
  const auto program = branches(DType::f32, 4, 8, 8);
  const Session session(program->graph, {.loss = program->loss, .optimizer = SGD{}, .threads = 1});
  const Plan& plan = session.plan();
  const Reachability reachability(plan.steps);
  int independent = 0;
  for (std::size_t a = 0; a < plan.steps.size(); ++a) {
    if (plan.steps[a].phase != Phase::update) continue;
    for (std::size_t b = 0; b < plan.steps.size(); ++b) {
      if (a == b || plan.steps[b].phase != Phase::update) continue;
      if (!reachability.before(static_cast<int>(a), static_cast<int>(b))) ++independent;
    }
  }
  EXPECT_GT(independent, 0);
}

std::vector<double> flops_of(const Plan& plan) {
  std::vector<double> flops;
  for (const PlanStep& step : plan.steps) flops.push_back(step.flops);
  return flops;
}

/// The longest path that ends in `step`, tried out one by one.
double longest_to(const Plan& plan, const std::vector<double>& weights, int step) {
  double longest = 0;
  for (const int p : plan.steps[static_cast<std::size_t>(step)].predecessors) {
    longest = std::max(longest, longest_to(plan, weights, p));
  }
  return longest + weights[static_cast<std::size_t>(step)];
}

TEST(Schedule, CriticalPathIsTheLongestOfAll) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Plan plan = random_plan(seed, {.steps = 14});
    derive_predecessors(plan);
    for (const auto& weights : {flops_of(plan), std::vector<double>(plan.steps.size(), 1)}) {
      const std::vector<double> to_end = lengths_to_end(plan.steps, weights);
      double expected = 0;
      for (int i = 0; i < static_cast<int>(plan.steps.size()); ++i) {
        expected = std::max(expected, longest_to(plan, weights, i));
      }
      const CriticalPath path = critical_path(plan.steps, weights);
      ASSERT_DOUBLE_EQ(path.length, expected) << seed;
      ASSERT_DOUBLE_EQ(*std::ranges::max_element(to_end), expected) << seed;

      double length = 0;
      for (std::size_t i = 0; i < path.steps.size(); ++i) {
        const auto step = static_cast<std::size_t>(path.steps[i]);
        length += weights[step];
        if (i == 0) continue;
        const auto& before = plan.steps[step].predecessors;
        ASSERT_NE(std::ranges::find(before, path.steps[i - 1]), before.end()) << seed;
      }
      ASSERT_DOUBLE_EQ(length, expected) << seed;
    }
  }
}

TEST(Schedule, OfEqualPathsTheFirstIsCritical) {
  Plan plan;
  plan.steps.resize(5);
  plan.steps[2].predecessors = {0, 1};
  plan.steps[3].predecessors = {0, 1};
  EXPECT_THAT(critical_path(plan.steps, std::vector<double>(5, 1)).steps,
              testing::ElementsAre(0, 2));
}

TEST(Schedule, AnEmptyPlanHasNoPath) {
  Plan plan;
  derive_predecessors(plan);
  EXPECT_EQ(critical_path(plan.steps, {}).length, 0);
  EXPECT_TRUE(critical_path(plan.steps, {}).steps.empty());
}

TEST(Schedule, NodesRunInTheSameOrderEveryTime) {
  const auto program = random_program(DType::f32, 5, 20);
  const auto order = execution_order(program->graph.nodes());
  EXPECT_EQ(order, execution_order(program->graph.nodes()));
  std::vector<int> position(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    position[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const Node::Edge& edge : program->graph.nodes()[i].inputs) {
      EXPECT_LT(position[static_cast<std::size_t>(edge.node)], position[i]);
    }
  }
}

}  // namespace
}  // namespace gradmill
