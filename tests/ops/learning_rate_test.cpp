#include <gmock/gmock.h>
#include <gradmill/ops/learning_rate.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "support/error_of.h"

namespace gradmill {
namespace {

using Decay = Schedule::Decay;
using testing::HasSubstr;

TEST(Schedule, IsConstantByDefault) {
  const Schedule schedule{.peak = 0.5};
  for (const std::int64_t step : {0, 1, 1000}) EXPECT_EQ(schedule.at(step), 0.5);
}

TEST(Schedule, WarmsUpInEqualSteps) {
  const Schedule schedule{.peak = 1, .warmup_steps = 4};
  EXPECT_EQ(schedule.at(0), 0.25);
  EXPECT_EQ(schedule.at(2), 0.75);
  EXPECT_EQ(schedule.at(3), 1);
  EXPECT_EQ(schedule.at(4), 1);
}

TEST(Schedule, DecaysToItsMinimum) {
  const Schedule linear{.peak = 1, .decay = Decay::linear, .total_steps = 8, .minimum = 0.2};
  EXPECT_EQ(linear.at(0), 1);
  EXPECT_DOUBLE_EQ(linear.at(2), 0.8);
  EXPECT_EQ(linear.at(8), 0.2);
  EXPECT_EQ(linear.at(100), 0.2);
  const Schedule cosine{
      .peak = 1, .warmup_steps = 2, .decay = Decay::cosine, .total_steps = 10, .minimum = 0.1};
  EXPECT_EQ(cosine.at(2), 1);
  EXPECT_DOUBLE_EQ(cosine.at(6), 0.55);
  EXPECT_DOUBLE_EQ(cosine.at(4), 0.1 + 0.9 * (1 + std::cos(std::numbers::pi / 4)) / 2);
  EXPECT_EQ(cosine.at(10), 0.1);
}

TEST(Schedule, RefusesWhatMakesNoSense) {
  EXPECT_THAT(error_of([] { Schedule{}.at(-1); }), HasSubstr("a step is at least 0, got -1"));
  EXPECT_THAT(error_of([] { Schedule{.peak = -1}.at(0); }), HasSubstr("the peak"));
  EXPECT_THAT(error_of([] { Schedule{.peak = 1, .minimum = 2}.at(0); }),
              HasSubstr("the minimum must be in [0, 1], got 2"));
  EXPECT_THAT(
      error_of([] { Schedule{.warmup_steps = 5, .decay = Decay::cosine, .total_steps = 5}.at(0); }),
      HasSubstr("total_steps must be above the 5 of the warm-up, got 5"));
  EXPECT_THAT(error_of([] { Schedule{.decay = static_cast<Decay>(9), .total_steps = 5}.at(1); }),
              HasSubstr("9 is no decay"));
}

}  // namespace
}  // namespace gradmill
