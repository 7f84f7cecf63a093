#include <gradmill/ops/reduce.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "support/op_check.h"

namespace gradmill {
namespace {

double sum_of(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0); }
double mean_of(const std::vector<double>& x) { return sum_of(x) / static_cast<double>(x.size()); }
double max_of(const std::vector<double>& x) { return std::ranges::max(x); }

struct Case {
  const char* name;
  Value (*build)(Value, std::vector<int>, bool, std::string);
  double (*reference)(const std::vector<double>&);
};

class Reduction : public testing::TestWithParam<Case> {
 protected:
  Builder over(std::vector<int> axes, bool keepdim = false) const {
    return
        [=, this](std::span<const Value> x) { return GetParam().build(x[0], axes, keepdim, "y"); };
  }
  void expect_reduction(const Array& x, const std::vector<int>& axes, bool keepdim,
                        Tolerance tolerance) const {
    expect_values(
        over(axes, keepdim),
        [&](const std::vector<Array>& inputs) {
          return reduce(inputs[0], axes, keepdim, GetParam().reference);
        },
        {x}, tolerance);
  }
};

INSTANTIATE_TEST_SUITE_P(Ops, Reduction,
                         testing::Values(Case{"sum", sum, sum_of}, Case{"mean", mean, mean_of},
                                         Case{"max", max, max_of}),
                         [](const auto& tested) { return tested.param.name; });

std::vector<int> random_axes(Random& random, const Shape& shape) {
  std::vector<int> axes;
  for (int k = 0; k < shape.rank(); ++k) {
    if (random.integer(0, 1) == 0) axes.push_back(random.integer(0, 1) == 0 ? k : k - shape.rank());
  }
  return axes;
}

TEST_P(Reduction, MatchesTheReferenceOverRandomShapesAndAxes) {
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 6), 9);
    const std::vector<int> axes = random_axes(random, shape);
    const bool keepdim = random.integer(0, 1) == 0;
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " over ", axes.size(), " axes"));
    expect_reduction(random.array(shape), axes, keepdim, {.f32 = 1e-5, .f64 = 1e-13});
  }
}

// Shapes whose reduction is cut into blocks in each of the ways there are.
TEST_P(Reduction, BlocksAndTheirCombinationCoverEveryElementOnce) {
  struct Large {
    Shape shape;
    std::vector<int> axes;
  };
  for (const Large& large :
       {Large{{200'003}, {0}}, Large{{3, 70'001}, {1}}, Large{{70'001, 3}, {0}},
        Large{{1025, 2}, {0}}, Large{{1030, 301}, {0}}, Large{{40, 5003}, {0}},
        Large{{5003, 40}, {1}}, Large{{3, 2100, 33}, {0, 2}}, Large{{7, 2100, 5}, {1}},
        Large{{17, 3, 19, 5, 23}, {0, 2, 4}}}) {
    SCOPED_TRACE(to_string(large.shape));
    Random random(5);
    // All positive, so that an element left out or taken twice cannot hide.
    const Array x = random.array(large.shape, 0.5, 1.5);
    expect_reduction(x, large.axes, false, {.f32 = 3e-6, .f64 = 1e-13});
  }
}

TEST_P(Reduction, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 200; seed < 220; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 5), 4);
    const std::vector<int> axes = random_axes(random, shape);
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " over ", axes.size(), " axes"));
    expect_gradients(over(axes, seed % 2 == 0), {random.distinct(shape)});
  }
}

TEST_P(Reduction, SecondGradientsMatchCentralDifferences) {
  Random random(6);
  const Builder build = [&](std::span<const Value> x) {
    return GetParam().build(x[0] * x[0] * x[0], {0, 2}, false, {});
  };
  expect_second_gradients(build, {random.distinct({2, 3, 2})}, 1e-5);
}

TEST_P(Reduction, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(7);
  for (const auto& [shape, axes] :
       {std::pair(Shape{250'007}, std::vector<int>{}), std::pair(Shape{999, 301}, std::vector{0}),
        std::pair(Shape{301, 999}, std::vector{1}),
        std::pair(Shape{9, 201, 99}, std::vector{0, 2})}) {
    SCOPED_TRACE(to_string(shape));
    const std::vector<Array> inputs = {random.array(shape)};
    EXPECT_GT(most_tiles(over(axes), inputs), 2);
    expect_same_bits(over(axes), inputs);
  }
}

TEST_P(Reduction, NanAndInfinityAreSeenWhereverTheyStand) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const std::int64_t n : {1, 3, 17, 200}) {
      for (std::int64_t at = 0; at < n; at += 1 + n / 9) {
        Array x({n}, 1.0);
        x[at] = nan;
        EXPECT_TRUE(std::isnan(evaluate(over({}), {x}, dtype)[0])) << at << " of " << n;
        Array columns({n, 3}, 1.0);
        columns(at, 1) = nan;
        const Array y = evaluate(over({0}), {columns}, dtype);
        EXPECT_TRUE(!std::isnan(y[0]) && std::isnan(y[1]) && !std::isnan(y[2]))
            << at << " of " << n;
        x[at] = -std::numeric_limits<double>::infinity();
        const double expected = GetParam().reference(x.data);
        EXPECT_EQ(evaluate(over({}), {x}, dtype)[0], expected) << at << " of " << n;
      }
    }
  }
}

TEST_P(Reduction, RefusesWhatDoesNotFit) {
  const std::string op = GetParam().name;
  EXPECT_EQ(refusal(over({2}), {{DType::f32, {2, 3}}}),
            op + " 'y': axis 2 is out of range for shape [2, 3]: it must be in [-2, 2)");
  EXPECT_EQ(refusal(over({-3}), {{DType::f32, {2, 3}}}),
            op + " 'y': axis -3 is out of range for shape [2, 3]: it must be in [-2, 2)");
  EXPECT_EQ(refusal(over({1, -1}), {{DType::f32, {2, 3}}}),
            op + " 'y': axis -1 of shape [2, 3] is named twice");
  EXPECT_EQ(refusal(over({}), {{DType::i64, {2}}}), op + " 'y': needs f32 or f64, got i64 [2]");
}

TEST(Sum, IsAccurateInSinglePrecision) {
  // A running sum of a tenth would be off by several percent here.
  for (const Shape& shape : {Shape{10'000'000}, Shape{2'000'000, 5}}) {
    const Array y =
        evaluate([](auto x) { return sum(x[0], {0}); }, {Array(shape, 0.1f)}, DType::f32);
    const double expected = static_cast<double>(0.1f) * static_cast<double>(shape[0]);
    EXPECT_NEAR(y[0] / expected, 1, 5e-6);
  }
}

TEST(Max, SharesTheGradientAmongTies) {
  const auto gradient_over = [](std::vector<int> axes) {
    return [=](std::span<const Value> x) { return gradients(max(x[0], axes), {x[0]})[0]; };
  };
  const Array x({2, 1, 3}, {5, 1, 5, 2, 5, 0});
  EXPECT_EQ(evaluate(gradient_over({2}), {x}, DType::f64).data,
            (std::vector<double>{0.5, 0, 0.5, 0, 1, 0}));
  EXPECT_EQ(evaluate(gradient_over({0, 2}), {x}, DType::f64).data,
            (std::vector<double>{1.0 / 3, 0, 1.0 / 3, 0, 1.0 / 3, 0}));
}

}  // namespace
}  // namespace gradmill
