#include <gmock/gmock.h>
#include <gradmill/runtime/plan.h>
#include <gradmill/runtime/plan/tasks.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace gradmill {
namespace {

using testing::ElementsAre;

constexpr double kSmall = 1e3;  // FLOPs: far below a microsecond
constexpr double kLarge = 1e9;

PlanStep step(double flops, std::vector<int> predecessors, std::int64_t tiles = 1) {
  PlanStep made;
  made.flops = flops;
  made.tiles = tiles;
  made.predecessors = std::move(predecessors);
  return made;
}

Plan plan_of(std::vector<PlanStep> steps) {
  Plan plan;
  plan.steps = std::move(steps);
  return plan;
}

TEST(Tasks, AChainIsOne) {
  const auto tasks = make_tasks(
      plan_of({step(kLarge, {}), step(kLarge, {0}), step(0, {1}), step(kSmall, {2})}), 2);
  ASSERT_EQ(tasks.size(), 1U);
  EXPECT_THAT(tasks[0].steps, ElementsAre(0, 1, 2, 3));
}

TEST(Tasks, AStepWhoseTilesAreSharedIsAlone) {
  const auto tasks =
      make_tasks(plan_of({step(kSmall, {}), step(kLarge, {0}, 8), step(kSmall, {1})}), 4);
  ASSERT_EQ(tasks.size(), 3U);
  EXPECT_EQ(tasks[1].runners, 4);
  EXPECT_THAT(tasks[2].predecessors, ElementsAre(1));
}

TEST(Tasks, SmallStepsThatWaitForTheSameAreOne) {
  const auto tasks = make_tasks(
      plan_of({step(kLarge, {}, 8), step(kSmall, {0}), step(kSmall, {0}), step(kSmall, {0, 1})}),
      2);
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_THAT(tasks[1].steps, ElementsAre(1, 2, 3));
  EXPECT_THAT(tasks[1].predecessors, ElementsAre(0));
}

// Otherwise steps 1 and 4, which waits for it, would have to wait for 2 as well.
TEST(Tasks, NoneWaitsForMoreThanItsOwn) {
  const auto tasks =
      make_tasks(plan_of({step(kLarge, {}, 8), step(kSmall, {0}), step(kLarge, {}, 8),
                          step(kSmall, {0, 2}), step(kLarge, {1}, 8)}),
                 2);
  ASSERT_EQ(tasks.size(), 5U);
  EXPECT_THAT(tasks[1].steps, ElementsAre(1));
  EXPECT_THAT(tasks[3].predecessors, ElementsAre(0, 2));
  EXPECT_THAT(tasks[4].predecessors, ElementsAre(1));
}

TEST(Tasks, ManySmallStepsAreSeveral) {
  std::vector<PlanStep> steps = {step(kLarge, {}, 8)};
  for (int i = 0; i < 1000; ++i) steps.push_back(step(kSmall, {0}));
  const auto tasks = make_tasks(plan_of(std::move(steps)), 2);
  EXPECT_GT(tasks.size(), 20U) << "enough to share out";
  EXPECT_LT(tasks.size(), 200U);
}

TEST(Tasks, WhatSaysNothingOfItsCostIsAlone) {
  const auto tasks = make_tasks(plan_of({step(0, {}), step(0, {0}), step(0, {0})}), 2);
  EXPECT_EQ(tasks.size(), 3U);
}

TEST(Tasks, TheLongerThePathThatFollowsTheMoreUrgent) {
  const auto tasks = make_tasks(plan_of({step(kLarge, {}, 8), step(kLarge, {0}, 8),
                                         step(kLarge, {0}, 8), step(kLarge, {2}, 8)}),
                                2);
  ASSERT_EQ(tasks.size(), 4U);
  EXPECT_GT(tasks[0].urgency, tasks[2].urgency);
  EXPECT_GT(tasks[2].urgency, tasks[1].urgency);
  EXPECT_DOUBLE_EQ(tasks[1].urgency, tasks[3].urgency);
}

}  // namespace
}  // namespace gradmill
