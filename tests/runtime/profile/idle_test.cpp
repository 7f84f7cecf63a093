// Why workers were idle, on runs whose reasons can be told by hand.

#include <gradmill/runtime/profile/idle.h>
#include <gtest/gtest.h>

#include <numeric>

#include "synthetic.h"

namespace gradmill {
namespace {

// Milliseconds of all workers by what they were spent on.
std::map<std::string, double> spent(const SyntheticPlan& plan, int lanes,
                                    std::vector<TracedRun> runs) {
  const Trace trace{.plan = plan.shared(), .lanes = lanes, .runs = std::move(runs)};
  const auto times = time_spent(trace);
  double length = 0;
  for (const TracedRun& run : trace.runs) {
    if (!run.failed) length += static_cast<double>(run.end_ns - run.begin_ns);
  }
  EXPECT_NEAR(std::accumulate(times.begin(), times.end(), 0.0), lanes * length, 1e3);
  std::map<std::string, double> result;
  for (std::size_t i = 0; i < kSpentKinds; ++i) {
    if (times[i] > 1e3) {
      result[std::string(to_string(static_cast<Spent>(i)))] = std::round(times[i] / 1e3) / 1e3;
    }
  }
  return result;
}

using Expected = std::map<std::string, double>;

TEST(TimeSpent, OnTilesAlone) {
  SyntheticPlan plan;
  plan.step("a", 4, {});
  EXPECT_EQ(spent(plan, 2,
                  {run_of({tile_at(0, 0, 0, 0, 1), tile_at(1, 0, 1, 0, 1), tile_at(0, 0, 2, 1, 2),
                           tile_at(1, 0, 3, 1, 2)},
                          2)}),
            (Expected{{"busy", 4}}));
}

TEST(TimeSpent, OnDispatchWhileATileIsReady) {
  SyntheticPlan plan;
  plan.step("a", 2, {});
  // The second tile is begun late, and the run goes on after the last one.
  EXPECT_EQ(spent(plan, 2, {run_of({tile_at(0, 0, 0, 0, 2), tile_at(1, 0, 1, 1, 2)}, 3)}),
            (Expected{{"busy", 3}, {"dispatch", 1 + 2}}));
}

TEST(TimeSpent, OnASerialSection) {
  SyntheticPlan plan;
  plan.step("a", 1, {});
  plan.step("b", 3, {0});
  EXPECT_EQ(spent(plan, 3,
                  {run_of({tile_at(0, 0, 0, 0, 2), tile_at(0, 1, 0, 2, 3), tile_at(1, 1, 1, 2, 3),
                           tile_at(2, 1, 2, 2, 3)},
                          3)}),
            (Expected{{"busy", 5}, {"serial_section", 4}}));
}

TEST(TimeSpent, OnStepsOfTooFewTiles) {
  SyntheticPlan plan;
  plan.step("a", 2, {});
  EXPECT_EQ(spent(plan, 4, {run_of({tile_at(0, 0, 0, 0, 2), tile_at(1, 0, 1, 0, 2)}, 2)}),
            (Expected{{"busy", 4}, {"too_few_tiles", 4}}));
}

TEST(TimeSpent, OnUnevenTiles) {
  SyntheticPlan plan;
  plan.step("a", 2, {});
  EXPECT_EQ(spent(plan, 2, {run_of({tile_at(0, 0, 0, 0, 1), tile_at(1, 0, 1, 0, 3)}, 3)}),
            (Expected{{"busy", 4}, {"uneven_tiles", 2}}));
}

TEST(TimeSpent, OnNothingReadyWhileSeveralSmallStepsRun) {
  SyntheticPlan plan;
  plan.step("a", 1, {});
  plan.step("b", 1, {});
  plan.step("c", 1, {0, 1});
  EXPECT_EQ(
      spent(plan, 3,
            {run_of({tile_at(0, 0, 0, 0, 2), tile_at(1, 1, 0, 0, 2), tile_at(0, 2, 0, 2, 3)}, 3)}),
      (Expected{{"busy", 5}, {"nothing_ready", 2}, {"serial_section", 2}}));
}

TEST(TimeSpent, LeavesOutRunsThatFailed) {
  SyntheticPlan plan;
  plan.step("a", 1, {});
  TracedRun failed = run_of({}, 5);
  failed.failed = true;
  EXPECT_EQ(spent(plan, 1, {failed, run_of({tile_at(0, 0, 0, 0, 1)}, 1)}), (Expected{{"busy", 1}}));
}

}  // namespace
}  // namespace gradmill
