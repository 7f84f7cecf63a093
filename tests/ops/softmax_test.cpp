#include <gradmill/ops/softmax.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "support/op_check.h"

namespace gradmill {
namespace {

const double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();

struct Case {
  const char* name;
  Value (*build)(Value, int, std::string);
  bool logarithm;
};

class Softmax : public testing::TestWithParam<Case> {
 protected:
  Builder along(int axis) const {
    return [=, this](std::span<const Value> x) { return GetParam().build(x[0], axis, "y"); };
  }
  void expect_softmax(const Array& x, int axis, Tolerance tolerance = {}) const {
    expect_values(
        along(axis),
        [&](const std::vector<Array>& inputs) {
          return softmax(inputs[0], axis, GetParam().logarithm);
        },
        {x}, tolerance);
  }
};

INSTANTIATE_TEST_SUITE_P(Ops, Softmax,
                         testing::Values(Case{"softmax", softmax, false},
                                         Case{"log_softmax", log_softmax, true}),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(Softmax, MatchesTheReferenceOverRandomShapesAndAxes) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const int rank = 1 + static_cast<int>(seed % 4);
    const Shape shape = random.shape(rank, 11);
    const int axis = static_cast<int>(random.integer(-rank, rank - 1));
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " along ", axis));
    expect_softmax(random.array(shape, -8, 8), axis);
  }
}

TEST_P(Softmax, LongRowsAndManyColumnsMatchTheReference) {
  Random random(50);
  expect_softmax(random.array({3, 5003}, -4, 4), 1, {.f32 = 3e-6});
  expect_softmax(random.array({701, 301}, -4, 4), 0, {.f32 = 3e-6});
  expect_softmax(random.array({3, 130, 259}, -4, 4), 1, {.f32 = 3e-6});
}

TEST_P(Softmax, IsStableForLogitsOfAnySize) {
  const Array x({6, 3}, {1e30, -1e30, 0, 1e30, 1e30, -1e30, -1e30, -1e30, -1e30, -kInf, 0, 1, -kInf,
                         5, -kInf, 3e38, -3e38, 3e38});
  for (const int axis : {0, 1}) {
    const Array input = axis == 1 ? x : transpose(x, 0, 1);
    for (const DType dtype : {DType::f32, DType::f64}) {
      Array y = evaluate(along(axis), {input}, dtype);
      if (axis == 0) y = transpose(y, 0, 1);
      const auto value = [&](std::int64_t i, std::int64_t j) {
        return GetParam().logarithm ? std::exp(y(i, j)) : y(i, j);
      };
      EXPECT_NEAR(value(0, 0), 1, 1e-6);
      EXPECT_EQ(value(0, 1), 0);
      EXPECT_NEAR(value(1, 0), 0.5, 1e-6);
      EXPECT_NEAR(value(1, 1), 0.5, 1e-6);
      EXPECT_EQ(value(1, 2), 0);
      for (int j = 0; j < 3; ++j) EXPECT_NEAR(value(2, j), 1.0 / 3, 1e-6);
      EXPECT_EQ(value(3, 0), 0);
      EXPECT_NEAR(value(3, 2), 1 / (1 + std::exp(-1.0)), 1e-6);
      EXPECT_NEAR(value(4, 1), 1, 1e-6);
      EXPECT_NEAR(value(5, 0), 0.5, 1e-6);
      EXPECT_NEAR(value(5, 2), 0.5, 1e-6);
      EXPECT_EQ(y(3, 0), GetParam().logarithm ? -kInf : 0);
    }
  }
}

TEST_P(Softmax, RowsWithoutAFiniteMaximumAreNan) {
  for (const int axis : {0, 1}) {
    const Array x({4, 4}, {-kInf, -kInf, -kInf, -kInf, kInf, 0, 1, 2, 0, kNan, 1, 2, 0, 1, 2, 3});
    const Array input = axis == 1 ? x : transpose(x, 0, 1);
    for (const DType dtype : {DType::f32, DType::f64}) {
      Array y = evaluate(along(axis), {input}, dtype);
      if (axis == 0) y = transpose(y, 0, 1);
      EXPECT_TRUE(std::isnan(y(0, 0)) && std::isnan(y(0, 3)));
      EXPECT_TRUE(std::isnan(y(1, 0)));
      for (int j = 0; j < 4; ++j) {
        EXPECT_TRUE(std::isnan(y(2, j))) << j;
        EXPECT_TRUE(std::isfinite(y(3, j))) << j;
      }
    }
  }
}

TEST_P(Softmax, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 60; seed < 72; ++seed) {
    Random random(seed);
    const int rank = 1 + static_cast<int>(seed % 3);
    const Shape shape = random.shape(rank, 5);
    const int axis = static_cast<int>(random.integer(-rank, rank - 1));
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " along ", axis));
    expect_gradients(along(axis), {random.array(shape)});
  }
  Random random(80);
  expect_gradients(along(0), {random.array({2, 19})});
  expect_gradients(along(1), {random.array({2, 19})});
}

TEST_P(Softmax, SecondGradientsMatchCentralDifferences) {
  Random random(81);
  for (const int axis : {0, 1}) expect_second_gradients(along(axis), {random.array({3, 4})});
}

TEST_P(Softmax, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(82);
  for (const int axis : {0, 1, 2}) {
    const std::vector<Array> inputs = {random.array({29, 31, 97})};
    EXPECT_GT(most_tiles(along(axis), inputs), 2);
    expect_same_bits(along(axis), inputs);
  }
}

TEST_P(Softmax, RefusesWhatDoesNotFit) {
  const std::string op = GetParam().name;
  EXPECT_EQ(refusal(along(2), {{DType::f32, {2, 3}}}),
            op + " 'y': axis 2 is out of range for shape [2, 3]: it must be in [-2, 2)");
  EXPECT_EQ(refusal(along(-1), {{DType::f32, {}}}),
            op + " 'y': axis -1 is out of range for shape []: it must be in [0, 0)");
  EXPECT_EQ(refusal(along(0), {{DType::i64, {2}}}), op + " 'y': needs f32 or f64, got i64 [2]");
}

// The logarithm of a probability near 1 is -e^-x, far below the rounding of log(1 + e^-x).
TEST(LogSoftmax, ProbabilitiesNearOneKeepTheirDigits) {
  for (const auto& [dtype, x, tolerance] :
       {std::tuple(DType::f32, 30.0, 1e-6), std::tuple(DType::f64, 60.0, 1e-14)}) {
    for (const Shape& shape : {Shape{3}, Shape{3, 1, 1}, Shape{1, 3}}) {
      const int axis = shape.rank() == 2 ? 1 : 0;
      const Array y = evaluate([&](std::span<const Value> v) { return log_softmax(v[0], axis); },
                               {Array(shape, {0, x, -x})}, dtype);
      EXPECT_NEAR(y[1] / -std::exp(-x), 1, tolerance) << x;
      EXPECT_NEAR(y[0], -x, 1e-6);
    }
    const Array ties = evaluate([](std::span<const Value> v) { return log_softmax(v[0], 0); },
                                {Array({3, 2}, {x, x, x, x, 0, 0})}, dtype);
    for (const std::int64_t i : {0, 1, 2, 3}) EXPECT_NEAR(ties[i], -std::log(2), 1e-6);
  }
}

}  // namespace
}  // namespace gradmill
