#include <gradmill/ops/softplus.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/op_check.h"

namespace gradmill {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

Builder with(const SoftplusOptions& options) {
  return [=](std::span<const Value> x) { return softplus(x[0], options, "y"); };
}

Builder derivative_with(const SoftplusOptions& options) {
  return [=](std::span<const Value> x) {
    return gradients(softplus(x[0], options), std::vector<Value>{x[0]})[0];
  };
}

double reference(double x, const SoftplusOptions& options) {
  const double z = options.beta * x;
  return z > options.threshold ? x : std::log1p(std::exp(z)) / options.beta;
}

const std::vector<SoftplusOptions> kOptions = {
    {}, {.beta = 0.5}, {.beta = 3, .threshold = 1}, {.beta = -2}, {.threshold = -1}};

std::string text(const SoftplusOptions& options) {
  return cat("beta ", options.beta, ", threshold ", options.threshold);
}

TEST(Softplus, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 5), 12);
    const SoftplusOptions options = kOptions[seed % kOptions.size()];
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, ", ", text(options)));
    expect_values(with(options),
                  [&](const std::vector<Array>& x) {
                    return map(x[0], [&](double value) { return reference(value, options); });
                  },
                  {random.array(shape, -8, 8)}, {.f32 = 1e-6, .f64 = 2e-15});
  }
}

TEST(Softplus, IsRightAtBothEnds) {
  const Array x({7}, {1e30, 500, 25, -25, -80, -1e30, 0});
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Array y = evaluate(with({}), {x}, dtype);
    const Array slope = evaluate(derivative_with({}), {x}, dtype);
    const double roundings = dtype == DType::f32 ? 5e-7 : 1e-15;
    for (std::int64_t i = 0; i < 3; ++i) {
      EXPECT_EQ(y[i], evaluate([](auto v) { return v[0]; }, {x}, dtype)[i]);
      EXPECT_EQ(slope[i], 1);
    }
    for (std::int64_t i = 3; i < 5; ++i) {  // e^x, which 1 + e^x would have lost
      EXPECT_NEAR(y[i] / std::exp(x[i]), 1, roundings + std::exp(x[i]));
      EXPECT_NEAR(slope[i] / std::exp(x[i]), 1, roundings + std::exp(x[i]));
    }
    EXPECT_EQ(y[5], 0);
    EXPECT_EQ(slope[5], 0);
    EXPECT_NEAR(y[6], std::log(2), roundings);
    EXPECT_EQ(slope[6], 0.5);
  }
}

TEST(Softplus, PropagatesNanAndInfinity) {
  const Array x({3}, {kNan, kInf, -kInf});
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const SoftplusOptions& options : {SoftplusOptions{}, SoftplusOptions{.threshold = kInf}}) {
      SCOPED_TRACE(cat(dtype, ", ", text(options)));
      const Array y = evaluate(with(options), {x}, dtype);
      EXPECT_TRUE(std::isnan(y[0]));
      EXPECT_EQ(y[1], kInf);
      EXPECT_EQ(y[2], 0);
      const Array slope = evaluate(derivative_with(options), {x}, dtype);
      EXPECT_TRUE(std::isnan(slope[0]));
      EXPECT_EQ(slope[1], 1);
      EXPECT_EQ(slope[2], 0);
    }
  }
}

TEST(Softplus, IsLinearAboveTheThresholdOnly) {
  const SoftplusOptions options{.beta = 2, .threshold = 3};
  const Array x({2}, {1.5, 1.5000001});
  const Array y = evaluate(with(options), {x}, DType::f64);
  const Array slope = evaluate(derivative_with(options), {x}, DType::f64);
  EXPECT_NEAR(y[0], std::log1p(std::exp(3)) / 2, 1e-15);
  EXPECT_NEAR(slope[0], 1 / (1 + std::exp(-3)), 1e-15);
  EXPECT_EQ(y[1], x[1]);
  EXPECT_EQ(slope[1], 1);
}

TEST(Softplus, GradientsMatchCentralDifferences) {
  for (std::size_t i = 0; i < kOptions.size(); ++i) {
    const SoftplusOptions& options = kOptions[i];
    SCOPED_TRACE(text(options));
    Random random(i);
    Array x = random.array({3, 7}, -3, 3);
    for (double& value : x.data) {  // away from the step at the threshold
      if (std::abs(options.beta * value - options.threshold) < 0.1) value += 0.2;
    }
    expect_gradients(with(options), {x});
    expect_second_gradients(with(options), {x});
    expect_second_gradients(derivative_with(options), {x}, 1e-5);
  }
}

TEST(Softplus, OptionsTellNodesApart) {
  const Builder difference = [](auto x) {
    return softplus(x[0], {.beta = 1}) - softplus(x[0], {.beta = 2}) +
           softplus(x[0], {.threshold = 0});
  };
  expect_values(difference,
                [](const std::vector<Array>& x) {
                  return map(x[0], [](double value) {
                    return reference(value, {}) - reference(value, {.beta = 2}) +
                           reference(value, {.threshold = 0});
                  });
                },
                {Array({3}, {-1, 0.5, 2})});
}

TEST(Softplus, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(4);
  const std::vector<Array> inputs = {random.array({277, 311}, -4, 4)};
  EXPECT_GT(most_tiles(with({}), inputs), 2);
  expect_same_bits(with({}), inputs);
}

TEST(Softplus, RefusesWhatHasNoValue) {
  const std::vector<Type> row = {{DType::f32, {3}}};
  EXPECT_EQ(refusal(with({}), {{DType::i64, {3}}}), "softplus 'y': needs f32 or f64, got i64 [3]");
  EXPECT_EQ(refusal(with({}), {{static_cast<DType>(200), {3}}}),
            "softplus 'y': input 0 is of dtype 200, which is none of f32, f64 and i64");
  EXPECT_EQ(refusal(with({.beta = 0}), row), "softplus 'y': beta must be finite and not 0, got 0");
  EXPECT_EQ(refusal(with({.beta = kNan}), row),
            "softplus 'y': beta must be finite and not 0, got nan");
  EXPECT_EQ(refusal(with({.beta = kInf}), row),
            "softplus 'y': beta must be finite and not 0, got inf");
  EXPECT_EQ(refusal(with({.threshold = kNan}), row),
            "softplus 'y': threshold must be a number, got nan");
}

}  // namespace
}  // namespace gradmill
