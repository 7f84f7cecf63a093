// gradcheck where rounding is all or most of what is seen, and where runs differ.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "function_op.h"
#include "programs.h"

namespace gradmill {
namespace {

TEST(GradcheckRounding, ALargeValueHidesNothingButItsOwnRounding) {
  // Beside 1e6, a slope is known to about 2^-51 1e6 / 1e-6 = 4e-4.
  const auto build = [](double gradient) {
    return [gradient](Value x) {
      return function(x, each([](double v) { return 1e6 + v; }),
                      [gradient](const GradientContext& c) { return gradient * c.upstream[0]; });
    };
  };
  EXPECT_TRUE(check_at({1}, build(1)).ok());
  EXPECT_FALSE(check_at({1}, build(1.01)).ok());
}

/// 1000 + f(x), which is known to 5e-7 with the first step, and to less with smaller ones.
std::function<Value(Value)> beside_thousand(const std::function<double(double)>& f,
                                            double gradient) {
  return [=](Value x) {
    return function(x, each([=](double v) { return 1000 + f(v); }),
                    [=](const GradientContext& c) { return gradient * c.upstream[0]; });
  };
}

TEST(GradcheckRounding, TheRoundingOfSmallerStepsExcusesNothing) {
  const auto line = [](double v) { return 1e-4 * v; };
  for (const double x : {0.3, 1.0, -1.7}) {
    SCOPED_TRACE(x);
    EXPECT_TRUE(check_at({x}, beside_thousand(line, 1e-4)).ok());
    for (const double factor : {-1.0, 0.0, 0.98, 1.02}) {
      SCOPED_TRACE(factor);
      const GradcheckReport report = check_at({x}, beside_thousand(line, factor * 1e-4));
      EXPECT_FALSE(report.ok());
      EXPECT_EQ(report.tensors[0].worst->slope.verdict, GradcheckVerdict::wrong);
      EXPECT_LT(report.tensors[0].worst->slope.tolerance, 6e-7);
    }
  }
}

TEST(GradcheckRounding, ASmallKinkBesideThePointIsFineWhateverTheRounding) {
  // Slopes 0 and `slope`, a small multiple of the tolerance, bent at a small part of the step.
  for (const double slope : {1.2e-6, 2e-6, 5e-6, 1e-4}) {
    for (const double at : {0.0, 1e-9, 1e-8, 5e-8, 1e-7, 4e-7}) {
      SCOPED_TRACE(cat(slope, " at ", at));
      const auto bend = [=](double v) { return v > at ? slope * (v - at) : 0.0; };
      EXPECT_TRUE(check_at({0}, beside_thousand(bend, 0)).ok());
      const auto mirrored = [=](double v) { return v < at ? slope * (v - at) : 0.0; };
      EXPECT_TRUE(check_at({0}, beside_thousand(mirrored, at == 0 ? 0 : slope)).ok());
    }
  }
}

TEST(GradcheckRounding, AKinkBesideALargeValueIsAKink) {
  const auto bend = [](double v) { return v > 0 ? 1e-3 * v : 0; };
  for (const double gradient : {0.0, 0.3e-3, 0.5e-3, 1e-3}) {
    SCOPED_TRACE(gradient);
    EXPECT_TRUE(check_at({0}, beside_thousand(bend, gradient)).ok());
  }
  for (const double gradient : {-0.2e-3, 1.2e-3}) {
    SCOPED_TRACE(gradient);
    const GradcheckReport report = check_at({0}, beside_thousand(bend, gradient));
    EXPECT_EQ(report.tensors[0].worst->slope.verdict, GradcheckVerdict::outside);
  }
}

TEST(GradcheckRounding, SlopesBelowTheToleranceAreToldApart) {
  const auto scaled = [](double by, double wrong) {
    return [=](Value x) {
      return by * function(x, each([](double v) { return v * v; }), [=](const GradientContext& c) {
               return wrong * 2.0 * c.inputs[0] * c.upstream[0];
             });
    };
  };
  const GradcheckReport report = check_at({1, 2}, scaled(1e-10, -1));
  EXPECT_TRUE(report.ok());
  EXPECT_FALSE(report.tensors[0].seen);
  EXPECT_TRUE(mentions(report.table(), {"unseen"}));
  EXPECT_TRUE(mentions(report.message(), {"fine; all slopes of 'x' are below the tolerance"}));
  const GradcheckReport seen = check_at({1, 2}, scaled(1, 1));
  EXPECT_TRUE(seen.ok() && seen.tensors[0].seen);
  EXPECT_FALSE(mentions(seen.message(), {"below the tolerance"}));
  EXPECT_FALSE(mentions(seen.table(), {"unseen"}));
}

TEST(GradcheckRounding, TwoRunsThatDifferAreAProblem) {
  auto runs = std::make_shared<int>(0);
  const auto build = [=](Value x) {
    const auto drifting = [=](std::span<const double> from, std::span<double> to) {
      const double drift = 1e-12 * ++*runs;
      for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i] + drift;
    };
    return function(x, drifting, [](const GradientContext& c) { return c.upstream[0]; });
  };
  const GradcheckReport report = check_at({1, 2}, build);
  EXPECT_FALSE(report.ok());
  EXPECT_TRUE(mentions(report.message(), {"two runs at the same point differ", "seed 0"}));
}

TEST(GradcheckRounding, AValueThatStandsStillAsksForFloat) {
  const auto narrow = [](Value x) {
    return function(x, each([](double v) { return static_cast<float>(v * v); }),
                    [](const GradientContext& c) { return 2.0 * c.inputs[0] * c.upstream[0]; });
  };
  const GradcheckReport report = check_at({1.1, 3.3}, narrow);
  EXPECT_FALSE(report.ok());
  EXPECT_TRUE(mentions(report.message(), {"numeric 0 (does an op compute in float?)"}));
  const auto twice = [](Value x) {
    return function(x, each([](double v) { return v; }),
                    [](const GradientContext& c) { return 2.0 * c.upstream[0]; });
  };
  EXPECT_FALSE(mentions(check_at({1}, twice).message(), {"float?"}));
}

}  // namespace
}  // namespace gradmill
