#include <gmock/gmock.h>
#include <gradmill/ops/layer_norm.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/op_check.h"

namespace gradmill {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

struct Case {
  const char* name;
  bool centered;
  bool weighted;
  bool biased;
};

// The last `axes` sizes.
std::vector<std::int64_t> last(const Shape& shape, int axes) {
  return {shape.end() - axes, shape.end()};
}

class Norm : public testing::TestWithParam<Case> {
 protected:
  static Builder over(int axes, double eps = 1e-5) {
    return [=](std::span<const Value> x) {
      const Value weight = GetParam().weighted ? x[1] : Value();
      const std::vector<std::int64_t> normalized = last(x[0].shape(), axes);
      if (!GetParam().centered) {
        return rms_norm(x[0], normalized, {.weight = weight, .eps = eps}, "y");
      }
      const Value bias = GetParam().biased ? x[GetParam().weighted ? 2 : 1] : Value();
      return layer_norm(x[0], normalized, {.weight = weight, .bias = bias, .eps = eps}, "y");
    };
  }

  // x, and weight and bias where there are any.
  static std::vector<Array> with_parameters(Random& random, Array x, int axes) {
    const std::vector<std::int64_t> normalized = last(x.shape, axes);
    std::vector<Array> inputs = {std::move(x)};
    for (const bool given : {GetParam().weighted, GetParam().biased}) {
      if (given) inputs.push_back(random.array(Shape(normalized), -2, 2));
    }
    return inputs;
  }

  static Array reference(const std::vector<Array>& inputs, int axes, double eps = 1e-5) {
    const Array& x = inputs[0];
    const std::int64_t n = Shape(last(x.shape, axes)).elements();
    Array y(x.shape);
    for (std::int64_t first = 0; first < x.size(); first += n) {
      long double mean = 0;
      for (std::int64_t i = 0; i < n && GetParam().centered; ++i) mean += x[first + i];
      mean /= static_cast<long double>(n);
      long double square = 0;
      for (std::int64_t i = 0; i < n; ++i) square += (x[first + i] - mean) * (x[first + i] - mean);
      const long double r = 1 / std::sqrt(square / static_cast<long double>(n) + eps);
      for (std::int64_t i = 0; i < n; ++i) {
        long double value = (x[first + i] - mean) * r;
        if (GetParam().weighted) value *= inputs[1][i];
        if (GetParam().biased) value += inputs.back()[i];
        y[first + i] = static_cast<double>(value);
      }
    }
    return y;
  }

  static void expect_norm(Random& random, const Array& x, int axes, Tolerance tolerance = {}) {
    expect_values(
        over(axes), [&](const std::vector<Array>& inputs) { return reference(inputs, axes); },
        with_parameters(random, x, axes), tolerance);
  }
};

INSTANTIATE_TEST_SUITE_P(Ops, Norm,
                         testing::Values(Case{"layer_norm", true, false, false},
                                         Case{"layer_norm_weight", true, true, false},
                                         Case{"layer_norm_bias", true, false, true},
                                         Case{"layer_norm_weight_bias", true, true, true},
                                         Case{"rms_norm", false, false, false},
                                         Case{"rms_norm_weight", false, true, false}),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(Norm, MatchesTheReferenceOverRandomShapesAndAxes) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    const int rank = 1 + static_cast<int>(seed % 4);
    const Shape shape = random.shape(rank, 11);
    const int axes = static_cast<int>(random.integer(1, rank));
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " over ", axes, " axes"));
    expect_norm(random, random.array(shape, -8, 8), axes, {.f32 = 4e-6, .f64 = 1e-13});
  }
}

TEST_P(Norm, LongRowsAndManyRowsMatchTheReference) {
  Random random(40);
  for (const Shape& shape : {Shape{3, 5003}, Shape{101, 384}, Shape{1024, 33}, Shape{2, 70001}}) {
    SCOPED_TRACE(to_string(shape));
    expect_norm(random, random.array(shape, -3, 3), 1, {.f32 = 4e-6, .f64 = 1e-13});
  }
}

// The mean of the squares less the square of the mean would have no digits left.
TEST_P(Norm, KeepsItsDigitsWhereTheMeanIsFarFromZero) {
  if (!GetParam().centered) return;
  Random random(41);
  const Array x = map(random.array({5, 771}, -1, 1), [](double value) { return value + 2000; });
  expect_norm(random, x, 1, {.f32 = 4e-4, .f64 = 1e-11});
}

TEST_P(Norm, ARowOfOneNumberIsZero) {
  if (!GetParam().centered || GetParam().biased) return;
  Random random(42);
  for (const std::int64_t n : {1, 3, 8, 19, 100}) {
    const std::vector<Array> inputs = with_parameters(random, Array({2, n}, 0.1), 1);
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Array y = evaluate(over(1, 0.0001), inputs, dtype);
      for (std::int64_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], 0, 1e-4) << n;
    }
  }
}

TEST_P(Norm, ANumberThatIsNotFiniteSpoilsItsRowOnly) {
  Random random(43);
  for (const double bad : {kNan, kInf, -kInf}) {
    Array x = random.array({3, 21});
    x(1, 20) = bad;
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Array y = evaluate(over(1), with_parameters(random, x, 1), dtype);
      EXPECT_TRUE(std::isnan(y(1, 20)));
      if (GetParam().centered || std::isnan(bad)) {
        EXPECT_TRUE(std::isnan(y(1, 0)));
      }
      for (int j = 0; j < 21; ++j) {
        EXPECT_TRUE(std::isfinite(y(0, j)) && std::isfinite(y(2, j)));
      }
    }
  }
}

TEST_P(Norm, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 50; seed < 58; ++seed) {
    Random random(seed);
    const int rank = 1 + static_cast<int>(seed % 3);
    const Shape shape = random.shape(rank, 5);
    const int axes = static_cast<int>(random.integer(1, rank));
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " over ", axes, " axes"));
    expect_gradients(over(axes, 0.1), with_parameters(random, random.array(shape), axes));
  }
  Random random(60);
  expect_gradients(over(1), with_parameters(random, random.array({3, 37}), 1));
  expect_gradients(over(1), with_parameters(random, random.array({2, 1}), 1));
}

TEST_P(Norm, SecondAndThirdGradientsMatchCentralDifferences) {
  Random random(61);
  const std::vector<Array> inputs = with_parameters(random, random.array({2, 2, 3}), 2);
  expect_second_gradients(over(2, 0.1), inputs);
  const Builder first = [&](std::span<const Value> x) {
    const Value y = over(2, 0.1)(x);
    return gradients(y * y * y, x)[0];
  };
  expect_second_gradients(first, inputs, 1e-5);
}

// Sums over rows that are shared by many tiles and, in a tile, by many rows.
TEST_P(Norm, GradientsOfWeightAndBiasAreSumsOverAllRows) {
  if (!GetParam().weighted && !GetParam().biased) return;
  Random random(62);
  for (const Shape& shape : {Shape{4001, 7}, Shape{90, 500}}) {
    SCOPED_TRACE(to_string(shape));
    const Array x = random.array(shape);
    const std::vector<Array> inputs = with_parameters(random, x, 1);
    Case plain = GetParam();
    plain.weighted = plain.biased = false;
    for (std::size_t k = 1; k < inputs.size(); ++k) {
      const bool of_weight = k == 1 && GetParam().weighted;
      // With upstream x: sum x h, or sum x.
      const Builder gradient = [&](std::span<const Value> v) {
        return gradients(sum(over(1)(v) * v[0]), v)[k];
      };
      const Builder expected = [&](std::span<const Value> v) {
        Value h = v[0];
        if (of_weight) {
          h = plain.centered ? layer_norm(h, last(h.shape(), 1)) * h
                             : rms_norm(h, last(h.shape(), 1), {.eps = 1e-5}) * h;
        }
        return sum(h, {0});
      };
      const Array right = evaluate(expected, inputs, DType::f64);
      expect_near(evaluate(gradient, inputs, DType::f64), right, 1e-11);
      expect_near(evaluate(gradient, inputs, DType::f32), right, 2e-5);
    }
  }
}

TEST_P(Norm, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(63);
  for (const auto& [shape, axes] :
       {std::pair(Shape{70, 3, 301}, 2), std::pair(Shape{70, 3, 301}, 1),
        std::pair(Shape{9000, 5}, 1)}) {
    const std::vector<Array> inputs = with_parameters(random, random.array(shape), axes);
    EXPECT_GT(most_tiles(over(axes), inputs), 2);
    expect_same_bits(over(axes), inputs);
  }
}

TEST(LayerNorm, RefusesWhatDoesNotFit) {
  const auto of = [](std::vector<std::int64_t> sizes, double eps = 1e-5) -> Builder {
    return [=](std::span<const Value> x) {
      return layer_norm(x[0], sizes,
                        {.weight = x.size() > 1 ? x[1] : Value(),
                         .bias = x.size() > 2 ? x[2] : Value(),
                         .eps = eps},
                        "y");
    };
  };
  const Type x{DType::f32, {2, 3, 4}};
  EXPECT_EQ(refusal(of({4}), {{DType::i64, {2, 4}}}),
            "layer_norm 'y': needs f32 or f64, got i64 [2, 4]");
  EXPECT_EQ(refusal(of({}), {x}), "layer_norm 'y': normalized_shape needs at least one size");
  EXPECT_EQ(refusal(of({3}), {x}),
            "layer_norm 'y': normalized_shape [3] must be the last sizes of the input, [2, 3, 4]");
  EXPECT_EQ(refusal(of({1, 2, 3, 4}), {x}),
            "layer_norm 'y': normalized_shape [1, 2, 3, 4] must be the last sizes of the input, "
            "[2, 3, 4]");
  EXPECT_EQ(refusal(of({3, 4}), {x, {DType::f32, {4}}}),
            "layer_norm 'y': the weight for input f32 [2, 3, 4] must be f32 [3, 4], got f32 [4]");
  EXPECT_EQ(refusal(of({4}), {x, {DType::f32, {4}}, {DType::f64, {4}}}),
            "layer_norm 'y': the bias for input f32 [2, 3, 4] must be f32 [4], got f64 [4]");
  EXPECT_EQ(refusal(of({4}, -1), {x}), "layer_norm 'y': eps must be at least 0, got -1");
  EXPECT_EQ(refusal(of({4}, kNan), {x}), "layer_norm 'y': eps must be at least 0, got nan");
  EXPECT_THAT(refusal(of({0}), {x}), testing::StartsWith("layer_norm 'y': "));
}

TEST(RmsNorm, RefusesWhatDoesNotFit) {
  const Builder build = [](std::span<const Value> x) {
    return rms_norm(x[0], {3}, {.weight = x.size() > 1 ? x[1] : Value()}, "y");
  };
  EXPECT_EQ(refusal(build, {{DType::f32, {3, 2}}}),
            "rms_norm 'y': normalized_shape [3] must be the last sizes of the input, [3, 2]");
  EXPECT_EQ(refusal(build, {{DType::f64, {2, 3}}, {DType::f64, {2, 3}}}),
            "rms_norm 'y': the weight for input f64 [2, 3] must be f64 [3], got f64 [2, 3]");
}

// The eps of a dtype decides what a row of small numbers becomes.
TEST(RmsNorm, TheDefaultEpsIsThatOfTheDtype) {
  const Builder build = [](std::span<const Value> x) { return rms_norm(x[0], {4}); };
  for (const auto& [dtype, eps] :
       {std::pair(DType::f32, 0x1p-23), std::pair(DType::f64, 0x1p-52)}) {
    const double small = std::sqrt(eps);
    const Array y = evaluate(build, {Array({1, 4}, small)}, dtype);
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(y[i], std::sqrt(0.5), 1e-6);
  }
}

}  // namespace
}  // namespace gradmill
