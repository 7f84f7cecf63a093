// The list scheduler, on graphs whose schedules can be told by hand.

#include <gradmill/runtime/profile/replay.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "support/error_of.h"

namespace gradmill {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;

using Steps = std::vector<ReplayStep>;

double ms(const Steps& steps, int workers, double dispatch_ms = 0) {
  return replay(steps, workers, dispatch_ms).ms;
}

Steps chain() {
  return {{.name = "a", .tile_ms = {1}},
          {.name = "b", .tile_ms = {2}, .predecessors = {0}},
          {.name = "c", .tile_ms = {4}, .predecessors = {1}}};
}

TEST(Replay, AChainTakesItsSumOnAnyNumberOfWorkers) {
  for (const int workers : {1, 2, 16}) {
    EXPECT_DOUBLE_EQ(ms(chain(), workers), 7);
    EXPECT_DOUBLE_EQ(ms(chain(), workers, 0.5), 8.5);
  }
  EXPECT_DOUBLE_EQ(critical_path(chain()).length, 7);
  EXPECT_THAT(critical_path(chain()).steps, ElementsAre(0, 1, 2));
}

TEST(Replay, AFanOutIsSharedByAllWorkersInRounds) {
  // One step before, ten tiles of 3 ms, one step behind.
  const Steps steps = {
      {.name = "before", .tile_ms = {1}},
      {.name = "tiles", .tile_ms = std::vector<double>(10, 3), .predecessors = {0}},
      {.name = "behind", .tile_ms = {2}, .predecessors = {1}}};
  EXPECT_DOUBLE_EQ(ms(steps, 1), 1 + 30 + 2);
  EXPECT_DOUBLE_EQ(ms(steps, 2), 1 + 15 + 2);
  EXPECT_DOUBLE_EQ(ms(steps, 4), 1 + 9 + 2);  // rounds of 4, 4 and 2
  EXPECT_DOUBLE_EQ(ms(steps, 10), 1 + 3 + 2);
  EXPECT_DOUBLE_EQ(ms(steps, 100), 1 + 3 + 2);
  EXPECT_DOUBLE_EQ(ms(steps, 4, 0.25), 1 + 9 + 2 + 5 * 0.25);
  EXPECT_DOUBLE_EQ(critical_path(steps).length, 6);
}

TEST(Replay, OfTwoChainsTheLongerGoesFirst) {
  // Three single tiles of 1 ms, a chain of 1 ms each, and one of 2 ms each.
  const Steps steps = {{.name = "singles", .tile_ms = {1, 1, 1}},
                       {.name = "short 1", .tile_ms = {1}},
                       {.name = "long 1", .tile_ms = {2}},
                       {.name = "short 2", .tile_ms = {1}, .predecessors = {1}},
                       {.name = "long 2", .tile_ms = {2}, .predecessors = {2}},
                       {.name = "short 3", .tile_ms = {1}, .predecessors = {3}},
                       {.name = "long 3", .tile_ms = {2}, .predecessors = {4}}};
  EXPECT_DOUBLE_EQ(ms(steps, 1), 3 + 3 + 6);
  // The long chain fills one worker, all the rest the other: in plan order it would take 8.
  EXPECT_DOUBLE_EQ(ms(steps, 2), 6);
  EXPECT_DOUBLE_EQ(ms(steps, 3), 6);
  EXPECT_DOUBLE_EQ(critical_path(steps).length, 6);
  EXPECT_THAT(critical_path(steps).steps, ElementsAre(2, 4, 6));
}

TEST(Replay, AStepWaitsForEveryTileOfEveryPredecessor) {
  const Steps steps = {{.name = "a", .tile_ms = {1, 5}},
                       {.name = "b", .tile_ms = {2}},
                       {.name = "c", .tile_ms = {1}, .predecessors = {0, 1}}};
  EXPECT_DOUBLE_EQ(ms(steps, 3), 6);
  EXPECT_THAT(critical_path(steps).steps, ElementsAre(0, 2));
}

TEST(Replay, AStepWithoutTilesLetsItsSuccessorsGo) {
  const Steps steps = {{.name = "nothing"},
                       {.name = "nothing more", .predecessors = {0}},
                       {.name = "some", .tile_ms = {3}, .predecessors = {0, 1}}};
  EXPECT_DOUBLE_EQ(ms(steps, 2), 3);
  EXPECT_DOUBLE_EQ(ms({}, 2), 0);
  EXPECT_DOUBLE_EQ(critical_path({}).length, 0);
}

TEST(Replay, ChargesTheTimeOfIdleWorkersToWhatRunsMeanwhile) {
  const Steps steps = {{.name = "one", .tile_ms = {2}},
                       {.name = "three", .tile_ms = {1, 1, 1}, .predecessors = {0}}};
  const Replay result = replay(steps, 4, 0);
  EXPECT_DOUBLE_EQ(result.ms, 3);
  EXPECT_DOUBLE_EQ(result.busy_ms, 5);
  // Three workers wait for 2 ms, then one for 1 ms.
  EXPECT_THAT(result.waited_ms, ElementsAre(DoubleEq(6), DoubleEq(1)));
}

TEST(Replay, KeepsToTheBoundsOfListSchedulingOnRandomPlans) {
  std::mt19937 random(1);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 200; ++round) {
    Steps steps;
    double work = 0;
    for (int i = 0; i < 30; ++i) {
      ReplayStep step{.name = "step"};
      for (int tile = below(12); tile >= 0; --tile) {
        step.tile_ms.push_back(1 + below(9));
        work += step.tile_ms.back();
      }
      for (int p = 0; p < i; ++p) {
        if (below(8) == 0) step.predecessors.push_back(p);
      }
      steps.push_back(step);
    }
    const double path = critical_path(steps).length;
    EXPECT_DOUBLE_EQ(ms(steps, 1), work);
    EXPECT_DOUBLE_EQ(ms(steps, 1000), path);
    for (const int workers : {2, 3, 8}) {
      const Replay result = replay(steps, workers, 0);
      EXPECT_GE(result.ms, std::max(path, work / workers));
      // R. Graham's bound for every list schedule.
      EXPECT_LE(result.ms, work / workers + path * (workers - 1) / workers + 1e-9);
      EXPECT_DOUBLE_EQ(result.busy_ms, work);
      EXPECT_NEAR(std::accumulate(result.waited_ms.begin(), result.waited_ms.end(), 0.0),
                  result.ms * workers - work, 1e-6);
    }
  }
}

TEST(Replay, RefusesWhatIsNoPlan) {
  EXPECT_THAT(error_of([] { replay({}, 0, 0); }), testing::HasSubstr("at least 1 worker"));
  const Steps cycle = {{.name = "a", .tile_ms = {1}, .predecessors = {1}}, {.name = "b"}};
  EXPECT_THAT(error_of([&] { replay(cycle, 1, 0); }), testing::HasSubstr("step 0 follows 1"));
  EXPECT_THAT(error_of([&] { critical_path(cycle); }), testing::HasSubstr("step 0 follows 1"));
}

}  // namespace
}  // namespace gradmill
