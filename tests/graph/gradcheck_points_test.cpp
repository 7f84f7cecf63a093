// gradcheck at points where a value has no slope, or no value.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "function_op.h"
#include "programs.h"

namespace gradmill {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

/// x for x >= 0 and slope * x below, with `gradient` at all points.
std::function<Value(Value)> bent(double slope, double gradient) {
  return [=](Value x) {
    return function(x, each([=](double v) { return v >= 0 ? v : slope * v; }),
                    [=](const GradientContext& c) { return gradient * c.upstream[0]; });
  };
}

TEST(GradcheckPoints, ReluAtZeroIsAKink) {
  const GradcheckReport report = check_at({1, 0, -1}, [](Value x) { return relu(x); });
  EXPECT_TRUE(report.ok()) << report.message();
  EXPECT_EQ(report.tensors[0].kinks, 1);
  EXPECT_EQ(report.tensors[0].checked, 3);
}

TEST(GradcheckPoints, ATieOfMaxIsFine) {
  // Shared by two, the gradient is the mean of the slopes; by three, it is just between them.
  EXPECT_TRUE(check_at({1, 2, 2, 0}, [](Value x) { return max(x); }).ok());
  const GradcheckReport report = check_at({2, 2, 1, 2}, [](Value x) { return max(x); });
  EXPECT_TRUE(report.ok()) << report.message();
  EXPECT_EQ(report.tensors[0].kinks, 3);
}

TEST(GradcheckPoints, AKinkInsideTheStepIsNoneOfThePoint) {
  for (const double x : {5e-7, 1e-7, 1e-8, 1e-9, -5e-7, -1e-7, -1e-8, -1e-9}) {
    SCOPED_TRACE(x);
    const GradcheckReport report = check_at({x}, [](Value v) { return relu(v); });
    EXPECT_TRUE(report.ok()) << report.message();
    EXPECT_EQ(report.tensors[0].kinks, 0);
    EXPECT_EQ(report.tensors[0].worst->slope.analytic, x > 0 ? 1 : 0);
  }
}

TEST(GradcheckPoints, TheGradientAtAKinkLiesBetweenTheSides) {
  for (const double gradient : {0.25, 0.5, 0.7, 1.0}) {
    SCOPED_TRACE(gradient);
    const GradcheckReport report = check_at({0}, bent(0.25, gradient));
    EXPECT_TRUE(report.ok()) << report.message();
  }
  for (const double gradient : {-1.0, 0.0, 0.2499, 1.0001, 2.0}) {
    SCOPED_TRACE(gradient);
    const GradcheckReport report = check_at({0}, bent(0.25, gradient));
    EXPECT_FALSE(report.ok());
    EXPECT_EQ(report.tensors[0].worst->slope.verdict, GradcheckVerdict::outside);
    EXPECT_TRUE(mentions(report.message(), {"'x' f64 [1] at [0]: at a kink, and outside of both",
                                            "several kinks at once, or wrong", "another point"}));
    EXPECT_TRUE(mentions(report.table(), {"KINK?"}));
  }
}

TEST(GradcheckPoints, SeveralKinksAtOnceAreNamedSo) {
  // Slopes 1 and 2, and the gradient is 0, as each term's is: right elsewhere.
  const auto build = [](Value x) { return relu(x) - relu(-x) + relu(x); };
  const GradcheckReport report = check_at({0}, build);
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.tensors[0].worst->slope.verdict, GradcheckVerdict::outside);
  EXPECT_TRUE(check_at({0.1, -0.1}, build).ok());
}

TEST(GradcheckPoints, AWrongGradientBesideAKinkIsFound) {
  for (const double x : {5e-7, 1e-8, -5e-7, -1e-8}) {
    SCOPED_TRACE(x);
    EXPECT_FALSE(check_at({x}, bent(0.25, 0.6)).ok());
  }
}

TEST(GradcheckPoints, AWrongGradientOfACurvedValueIsNoKink) {
  const auto build = [](Value x) {
    return function(x, each([](double v) { return 1e4 * v * v; }), [](const GradientContext& c) {
      return c.upstream[0] * (2e4 * c.inputs[0] + 1e-3);
    });
  };
  const GradcheckReport report = check_at({0, 0.1, 1}, build);
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.tensors[0].kinks, 0);
}

TEST(GradcheckPoints, ASteepValueNeedsASmallerStep) {
  // The third derivative of exp(400 x) makes the first step's error a hundred times the tolerance.
  const GradcheckReport report =
      check_at({0.01}, [](Value x) { return exp(400.0 * x); }, {.eps = 1e-4});
  EXPECT_TRUE(report.ok()) << report.message();
  EXPECT_EQ(report.tensors[0].kinks, 0);
}

TEST(GradcheckPoints, AJumpIsNotSmooth) {
  const auto build = [](Value x) {
    return function(x, each([](double v) { return v >= 0 ? v + 1 : v; }),
                    [](const GradientContext& c) { return c.upstream[0]; });
  };
  const GradcheckReport report = check_at({0}, build);
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.tensors[0].worst->slope.verdict, GradcheckVerdict::not_smooth);
  EXPECT_TRUE(mentions(report.message(), {"at [0]", "not smooth"}));
  EXPECT_TRUE(mentions(report.table(), {"NOT SMOOTH"}));
  EXPECT_TRUE(check_at({0.1, -0.1}, build).ok());
}

TEST(GradcheckPoints, ANanOrInfinityOfTheValueIsAFailure) {
  for (const double bad : {kNan, kInf, -kInf}) {
    const GradcheckReport report = check_at({1, bad}, [](Value x) { return x * 1.0; });
    EXPECT_FALSE(report.ok());
    EXPECT_TRUE(mentions(report.message(), {"element [1] of the value is", "nf"}) ||
                mentions(report.message(), {"element [1] of the value is nan"}));
    EXPECT_TRUE(mentions(report.table(), {"not compared"}));
  }
}

TEST(GradcheckPoints, ANanOrInfinityOfTheGradientIsAFailure) {
  for (const double bad : {kNan, kInf, -kInf}) {
    SCOPED_TRACE(bad);
    const auto build = [bad](Value x) {
      return function(x, each([](double v) { return v; }), [bad](const GradientContext& c) {
        return c.upstream[0] *
               c.upstream[0].graph().constant(bad, c.upstream[0].shape(), DType::f64);
      });
    };
    const GradcheckReport report = check_at({1, 2}, build);
    EXPECT_FALSE(report.ok());
    EXPECT_EQ(report.tensors[0].worst->slope.verdict, GradcheckVerdict::not_finite);
    EXPECT_TRUE(mentions(report.message(), {"not finite", "analytic"}));
  }
}

TEST(GradcheckPoints, ANanBesideThePointIsAFailure) {
  const auto build = [](Value x) {
    return function(x, each([](double v) { return v > 0 ? kNan : v; }),
                    [](const GradientContext& c) { return c.upstream[0]; });
  };
  const GradcheckReport report = check_at({0}, build);
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.tensors[0].worst->slope.verdict, GradcheckVerdict::not_finite);
  EXPECT_TRUE(mentions(report.message(), {"not finite", "numeric"}));
  EXPECT_TRUE(mentions(report.table(), {"NOT FINITE"}));
}

TEST(GradcheckPoints, AnInfiniteElementIsAFailure) {
  for (const double bad : {kInf, -kInf}) {
    for (const std::int64_t most : {0, 100}) {
      Graph graph;
      const Value x = graph.input("x", {40}, DType::f64);
      std::vector<double> values(40, 1.0);
      values[7] = bad;
      const GradcheckReport report =
          gradcheck(graph, 1.0 / x, {{x, values}}, {.max_elements = most, .samples = 3});
      EXPECT_FALSE(report.ok());
      EXPECT_TRUE(mentions(report.message(), {"at [7]", "not finite"}));
    }
  }
}

TEST(GradcheckPoints, TheEdgeOfADomainInsideTheStepIsNoMatter) {
  EXPECT_TRUE(check_at({5e-7}, [](Value x) { return sqrt(x); }).ok());
}

TEST(GradcheckPoints, OnlyKinksAreToldApart) {
  const GradcheckReport report = check_at({0, 0}, [](Value x) { return relu(x); });
  EXPECT_TRUE(report.ok());
  EXPECT_TRUE(mentions(report.table(), {"all kinks"}));
  EXPECT_TRUE(mentions(report.message(), {"fine; all elements checked of 'x' are kinks"}));
  const GradcheckReport flat = check_at({1, 1, 1, 0}, [](Value x) { return max(x); });
  EXPECT_TRUE(mentions(flat.table(), {"unseen"}));
  EXPECT_TRUE(mentions(flat.message(), {"fine; all slopes of 'x' are kinks or below"}));
}

}  // namespace
}  // namespace gradmill
