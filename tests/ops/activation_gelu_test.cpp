#include <gmock/gmock.h>
#include <gradmill/ops/activation.h>
#include <gradmill/ops/linear.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "support/op_check.h"

namespace gradmill {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();
const long double kSqrtHalf = std::sqrt(0.5L);
const long double kPi = std::acos(-1.0L);

long double logistic(long double x) { return 1 / (1 + std::exp(-x)); }
long double normal(long double x) { return std::erfc(-x * kSqrtHalf) / 2; }
long double twice_u(long double x) { return std::sqrt(8 / kPi) * (x + 0.044715L * x * x * x); }

struct Case {
  const char* name;
  Value (*build)(Value);
  long double (*probability)(long double);  ///< y = x P(x)
  long double (*slope)(long double);        ///< P'(x)
  long double (*exponent)(long double);     ///< P(x) falls as e^-exponent for x < 0
};

class Gelu : public testing::TestWithParam<Case> {
 protected:
  static Value build(std::span<const Value> x) { return GetParam().build(x[0]); }
  static Value derivative(std::span<const Value> x) {
    return gradients(build(x), std::vector<Value>{x[0]})[0];
  }
};

INSTANTIATE_TEST_SUITE_P(
    Ops, Gelu,
    testing::Values(Case{"gelu", [](Value x) { return gelu(x, Approximate::none, "y"); }, normal,
                         [](long double x) { return std::exp(-x * x / 2) / std::sqrt(2 * kPi); },
                         [](long double x) { return x * x / 2; }},
                    Case{"gelu_tanh", [](Value x) { return gelu(x, Approximate::tanh, "y"); },
                         [](long double x) { return logistic(twice_u(x)); },
                         [](long double x) {
                           return logistic(twice_u(x)) * logistic(-twice_u(x)) *
                                  std::sqrt(8 / kPi) * (1 + 3 * 0.044715L * x * x);
                         },
                         [](long double x) { return std::abs(twice_u(x)); }},
                    Case{"silu", [](Value x) { return silu(x, "y"); }, logistic,
                         [](long double x) { return logistic(x) * logistic(-x); },
                         [](long double x) { return std::abs(x); }}),
    [](const auto& tested) { return tested.param.name; });

TEST_P(Gelu, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 5), 12);
    SCOPED_TRACE(cat("seed ", seed, ": ", shape));
    expect_values(build,
                  [](const std::vector<Array>& x) {
                    return map(x[0], [](double value) {
                      return static_cast<double>(value * GetParam().probability(value));
                    });
                  },
                  {random.array(shape, -5, 5)}, {.f32 = 1e-6, .f64 = 2e-15});
  }
}

TEST_P(Gelu, IsAccurateOverTheWholeRange) {
  const auto check_dtype = [&]<class T>(T) {
    using Limits = std::numeric_limits<T>;
    std::vector<double> x = {0.0,           -0.0, Limits::max(), Limits::lowest(),
                             Limits::min(), 1e20, -1e20};
    for (double value = -45; value < 45; value += 0.00371) x.push_back(static_cast<T>(value));
    for (double value = 1; value > 1e-30; value *= 0.7) {
      x.push_back(static_cast<T>(value));
      x.push_back(static_cast<T>(-value));
    }
    const Array inputs({static_cast<std::int64_t>(x.size())}, x);
    const Array y = evaluate(build, {inputs}, dtype_of<T>());
    const Array slope = evaluate(derivative, {inputs}, dtype_of<T>());
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const double value = x[static_cast<std::size_t>(i)];
      const long double p = GetParam().probability(value);
      const long double exponent = value < 0 ? GetParam().exponent(value) : 0;
      const long double exact = value * p;
      const long double bound =
          (exact == 0 ? 0 : std::abs(exact) * (4 + 2 * exponent) * Limits::epsilon()) +
          100 * Limits::denorm_min();
      ASSERT_LE(std::abs(y[i] - exact), bound) << to_string(dtype_of<T>()) << ": f(" << value
                                               << ") is " << y[i] << ", exactly " << exact;
      const long double product = std::abs(value) > 1e4 ? 0 : value * GetParam().slope(value);
      ASSERT_LE(std::abs(slope[i] - (p + product)), 6 * Limits::epsilon())
          << to_string(dtype_of<T>()) << ": f'(" << value << ") is " << slope[i];
    }
  };
  check_dtype(float());
  check_dtype(double());
}

TEST_P(Gelu, PropagatesNanAndInfinity) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Array x({3}, {kNan, kInf, -kInf});
    const Array y = evaluate(build, {x}, dtype);
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_EQ(y[1], kInf);
    EXPECT_TRUE(std::isnan(y[2]));
    const Array slope = evaluate(derivative, {x}, dtype);
    EXPECT_TRUE(std::isnan(slope[0]));
    EXPECT_TRUE(std::isnan(slope[1]));
    EXPECT_TRUE(std::isnan(slope[2]));
  }
}

TEST_P(Gelu, AnElementsBitsDoNotDependOnWhereItStands) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (std::int64_t n = 1; n <= 40; ++n) {
      for (const Builder& function : {Builder(build), Builder(derivative)}) {
        const Array y = evaluate(function, {Array({n}, 0.7)}, dtype);
        for (std::int64_t i = 0; i < n; ++i) {
          ASSERT_EQ(std::bit_cast<std::uint64_t>(y[i]), std::bit_cast<std::uint64_t>(y[0]));
        }
      }
    }
  }
}

TEST_P(Gelu, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 50; seed < 54; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 4), 5);
    SCOPED_TRACE(cat("seed ", seed, ": ", shape));
    expect_gradients(build, {random.array(shape, -4, 4)});
  }
}

TEST_P(Gelu, SecondAndThirdGradientsMatchCentralDifferences) {
  Random random(3);
  const Array x = random.array({2, 5}, -3, 3);
  expect_second_gradients(build, {x});
  expect_second_gradients(derivative, {x}, 1e-5);
}

// The product before computes the function, where nothing else reads its result, and the product
// behind it the gradient.
TEST_P(Gelu, BetweenProductsItIsPartOfThem) {
  Random random(5);
  const std::vector<Array> inputs = {random.array({30, 40}), random.array({50, 40}),
                                     random.array({50}), random.array({20, 50})};
  const Builder forward = [](std::span<const Value> x) {
    return linear(build(std::vector{linear(x[0], x[1], x[2])}), x[3]);
  };
  const Builder gradient = [&](std::span<const Value> x) {
    return gradients(sum(forward(x)), x)[1];
  };
  const std::string name = GetParam().name;
  for (const auto& [function, part] : {std::pair(forward, ", then bias+" + name),
                                       std::pair(gradient, ", then " + name + "_back")}) {
    Graph graph;
    std::vector<Value> values;
    for (const Array& x : inputs) values.push_back(graph.input(cat("x", values.size()), x.shape));
    const Session session(graph, {.fetches = {function(values)}});
    std::string kernels;
    for (const PlanStep& step : session.plan().steps) kernels += step.kernel->description() + '\n';
    EXPECT_THAT(kernels, testing::HasSubstr(part));
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Array fused = evaluate(function, inputs, dtype);
      const Array plain = evaluate(function, inputs, dtype, {.rewrites = {.fuse = false}});
      EXPECT_EQ(fused.data, plain.data) << to_string(dtype);
    }
  }
  expect_gradients(forward, {random.array({3, 4}), random.array({5, 4}), random.array({5}),
                             random.array({2, 5})});
}

TEST_P(Gelu, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(4);
  const std::vector<Array> inputs = {random.array({277, 311}, -4, 4)};
  EXPECT_GT(most_tiles(build, inputs), 2);
  expect_same_bits(build, inputs);
}

TEST_P(Gelu, RefusesIntegers) {
  EXPECT_EQ(refusal(build, {{DType::i64, {3}}}),
            std::string(GetParam().name) + " 'y': needs f32 or f64, got i64 [3]");
}

}  // namespace
}  // namespace gradmill
