// Critical paths: of a run as it went, and of a plan whose steps take a given time.

#include <gmock/gmock.h>
#include <gradmill/runtime/profile/replay.h>
#include <gradmill/runtime/profile/run_path.h>
#include <gtest/gtest.h>

#include "synthetic.h"

namespace gradmill {
namespace {

constexpr int kSteps = 14;

// As with workers for all: each step begins when its last predecessor ends.
TracedRun run_without_waiting(const RandomDag& dag) {
  std::vector<TracedTile> tiles;
  double last = 0;
  for (int i = 0; i < static_cast<int>(dag.ms.size()); ++i) {
    const int end = longest_chain_to(dag, i);
    tiles.push_back(tile_at(i, i, 0, end - dag.ms[static_cast<std::size_t>(i)], end));
    last = std::max<double>(last, end);
  }
  return run_of(tiles, last);
}

TEST(CriticalPath, IsTheLongestChainOfRandomGraphs) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    const RandomDag dag = random_dag(seed, kSteps);
    const Plan& plan = *dag.plan.shared();
    const int expected = longest_chain(dag);

    std::vector<ReplayStep> steps;
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      steps.push_back({.name = plan.steps[i].name,
                       .tile_ms = {static_cast<double>(dag.ms[i])},
                       .predecessors = plan.steps[i].predecessors});
    }
    const CriticalPath planned = critical_path(steps);
    EXPECT_DOUBLE_EQ(planned.length, expected);

    const std::vector<PathStep> path = run_path(plan, run_without_waiting(dag));
    std::int64_t length = 0;
    int before = -1;
    for (const PathStep& step : path) {
      EXPECT_EQ(step.wait_ns, 0);
      EXPECT_EQ(step.begin_ns, length);
      EXPECT_EQ(step.ns, dag.ms[static_cast<std::size_t>(step.step)] * kMs);
      length += step.ns;
      const auto& predecessors = plan.steps[static_cast<std::size_t>(step.step)].predecessors;
      if (before < 0) {
        EXPECT_TRUE(predecessors.empty());
      } else {
        EXPECT_NE(std::ranges::find(predecessors, before), predecessors.end());
      }
      before = step.step;
    }
    EXPECT_EQ(length, expected * kMs);

    int planned_length = 0;
    for (const int step : planned.steps) planned_length += dag.ms[static_cast<std::size_t>(step)];
    EXPECT_EQ(planned_length, expected);
  }
}

struct Expected {
  int step;
  double begin_ms;
  double ms;
  double wait_ms;
  bool for_worker;
};

void expect_path(const std::vector<PathStep>& path, const std::vector<Expected>& expected) {
  ASSERT_EQ(path.size(), expected.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(path[i].step, expected[i].step);
    EXPECT_EQ(path[i].begin_ns, static_cast<std::int64_t>(expected[i].begin_ms * kMs));
    EXPECT_EQ(path[i].ns, static_cast<std::int64_t>(expected[i].ms * kMs));
    EXPECT_EQ(path[i].wait_ns, static_cast<std::int64_t>(expected[i].wait_ms * kMs));
    EXPECT_EQ(path[i].for_worker, expected[i].for_worker);
  }
}

TEST(RunPath, TellsHowLongAResultWasLeftLying) {
  SyntheticPlan plan;
  const int a = plan.step("a", 2, {});
  const int b = plan.step("b", 1, {});
  const int c = plan.step("c", 1, {a, b});
  // a: 1 to 4 in two tiles; b: 1 to 3; c begins late, on a worker that has long been free.
  expect_path(run_path(plan.plan(), run_of({tile_at(0, a, 0, 1, 2), tile_at(0, a, 1, 2, 4),
                                            tile_at(1, b, 0, 1, 3), tile_at(1, c, 0, 4.5, 6)},
                                           7)),
              {{a, 1, 3, 1, false}, {c, 4.5, 1.5, 0.5, false}});
}

TEST(RunPath, GoesOnByWayOfAWorkerThatWasHeld) {
  SyntheticPlan plan;
  const int a = plan.step("a", 1, {});
  const int b = plan.step("b", 1, {});
  const int c = plan.step("c", 1, {a});
  const int d = plan.step("d", 3, {b});
  // c is ready at 2, and its worker has a tile of d until 4.5, whose last tile goes on elsewhere.
  expect_path(run_path(plan.plan(), run_of({tile_at(0, a, 0, 0, 2), tile_at(1, b, 0, 0, 1),
                                            tile_at(1, d, 0, 1, 3), tile_at(1, d, 1, 3, 4.5),
                                            tile_at(0, d, 2, 2, 5), tile_at(1, c, 0, 4.75, 6)},
                                           6)),
              {{b, 0, 1, 0, false}, {d, 1, 3.5, 0, false}, {c, 4.75, 1.25, 0.25, true}});
}

TEST(RunPath, OfARunWithoutTilesIsEmpty) {
  SyntheticPlan plan;
  plan.step("a", 1, {});
  EXPECT_TRUE(run_path(plan.plan(), run_of({}, 1)).empty());
}

}  // namespace
}  // namespace gradmill
