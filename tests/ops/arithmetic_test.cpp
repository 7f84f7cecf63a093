#include <gmock/gmock.h>
#include <gradmill/ops/arithmetic.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using testing::HasSubstr;

struct Case {
  const char* name;
  Value (*build)(Value, Value, std::string);
  double (*reference)(double, double);
};

class Arithmetic : public testing::TestWithParam<Case> {
 protected:
  Builder builder() const {
    return [this](std::span<const Value> x) { return GetParam().build(x[0], x[1], "y"); };
  }
};

INSTANTIATE_TEST_SUITE_P(Ops, Arithmetic,
                         testing::Values(Case{"add", add, [](double a, double b) { return a + b; }},
                                         Case{"sub", sub, [](double a, double b) { return a - b; }},
                                         Case{"mul", mul, [](double a, double b) { return a * b; }},
                                         Case{"div", div,
                                              [](double a, double b) { return a / b; }}),
                         [](const auto& tested) { return tested.param.name; });

// Two shapes that broadcast: some axes of either are 1, and one may lack leading axes.
std::pair<Shape, Shape> broadcastable(Random& random, int rank) {
  const Shape full = random.shape(rank, 7);
  const auto part = [&] {
    std::vector<std::int64_t> sizes = full.sizes();
    for (std::int64_t& size : sizes) {
      if (random.integer(0, 2) == 0) size = 1;
    }
    if (random.integer(0, 1) == 0) {
      sizes.erase(sizes.begin(), sizes.begin() + random.integer(0, rank));
    }
    return Shape(sizes);
  };
  return random.integer(0, 1) == 0 ? std::pair(full, part()) : std::pair(part(), part());
}

TEST_P(Arithmetic, BroadcastsLikeTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const auto [a, b] = broadcastable(random, static_cast<int>(seed % 5));
    SCOPED_TRACE(cat("seed ", seed, ": ", a, " and ", b));
    expect_values(
        builder(),
        [&](const std::vector<Array>& x) { return zip(x[0], x[1], GetParam().reference); },
        {random.array(a), random.array(b, -2, 2, 0.3)});
  }
}

TEST_P(Arithmetic, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 100; seed < 112; ++seed) {
    Random random(seed);
    const auto [a, b] = broadcastable(random, static_cast<int>(seed % 4));
    if (a.elements() > 100 || b.elements() > 100) continue;
    SCOPED_TRACE(cat("seed ", seed, ": ", a, " and ", b));
    expect_gradients(builder(), {random.array(a), random.array(b, -2, 2, 0.5)});
  }
}

TEST_P(Arithmetic, SecondGradientsMatchCentralDifferences) {
  Random random(7);
  expect_second_gradients(builder(), {random.array({2, 1, 3}), random.array({4, 1}, -2, 2, 0.7)});
}

TEST_P(Arithmetic, AnOperandUsedTwiceReceivesTheSum) {
  Random random(8);
  expect_gradients([this](std::span<const Value> x) { return GetParam().build(x[0], x[0], "y"); },
                   {random.array({3, 5}, -2, 2, 0.5)});
}

TEST_P(Arithmetic, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(9);
  const std::vector<Array> inputs = {random.array({301, 1, 257}),
                                     random.array({3, 257}, -2, 2, 0.3)};
  EXPECT_GT(most_tiles(builder(), inputs), 4);
  expect_same_bits(builder(), inputs);
}

TEST_P(Arithmetic, RefusesWhatDoesNotFit) {
  const std::string op = GetParam().name;
  EXPECT_EQ(refusal(builder(), {{DType::f32, {2, 3}}, {DType::f32, {4}}}),
            op + " 'y': shapes [2, 3] and [4] do not broadcast: on axis -1, 3 and 4 differ and "
                 "neither is 1");
  EXPECT_EQ(refusal(builder(), {{DType::f32, {2, 3}}, {DType::f64, {3}}}),
            op + " 'y': both operands must have one dtype, got f32 [2, 3] and f64 [3]");
  EXPECT_EQ(refusal(builder(), {{DType::f32, {2}}, {DType::i64, {2}}}),
            op + " 'y': needs f32 or f64, got i64 [2]");
  Graph one;
  Graph other;
  const Value a = one.input("a", {2});
  const Value b = other.input("b", {2});
  EXPECT_THAT(error_of([&] { GetParam().build(a, b, "y"); }), HasSubstr("another graph"));
  EXPECT_THAT(error_of([&] { GetParam().build(a, Value(), "y"); }), HasSubstr("null"));
}

TEST(ArithmeticWithNumbers, TakesThemOnEitherSide) {
  Random random(10);
  const Array x = random.array({3, 4}, -2, 2, 0.3);
  const auto check_op = [&](const auto& f) {
    const Builder build = [&](std::span<const Value> v) -> Value { return f(v[0]); };
    expect_values(build,
                  [&](const std::vector<Array>& inputs) {
                    return map(inputs[0], [&](double value) -> double { return f(value); });
                  },
                  {x});
    expect_gradients(build, {x});
  };
  check_op([](auto v) { return v + 1.5; });
  check_op([](auto v) { return v - 1.5; });
  check_op([](auto v) { return v * 1.5; });
  check_op([](auto v) { return v / 1.5; });
  check_op([](auto v) { return 1.5 + v; });
  check_op([](auto v) { return 1.5 - v; });
  check_op([](auto v) { return 1.5 * v; });
  check_op([](auto v) { return 1.5 / v; });
  check_op([](auto v) { return (v + v) * (v - 3.0) / (v * v + 1.0); });
  check_op([](auto v) { return -v; });
  EXPECT_EQ(refusal([](auto v) { return mul(v[0], 2.0, "y"); }, {{DType::i64, {3}}}),
            "mul 'y': needs f32 or f64, got i64 [3]");
}

TEST(Neg, MatchesTheReferenceAndCentralDifferences) {
  const Builder build = [](std::span<const Value> x) { return neg(x[0], "y"); };
  for (std::uint64_t seed = 20; seed < 30; ++seed) {
    Random random(seed);
    const Array x = random.array(random.shape(static_cast<int>(seed % 5), 5));
    SCOPED_TRACE(cat("seed ", seed, ": ", x.shape));
    expect_values(build, [](const std::vector<Array>& v) { return map(v[0], std::negate<>()); },
                  {x}, {0, 0});
    if (x.size() < 200) expect_gradients(build, {x});
  }
}

TEST(Neg, FlipsTheSignBit) {
  const double inf = std::numeric_limits<double>::infinity();
  const Array y =
      evaluate([](auto v) { return neg(v[0]); }, {Array({4}, {0.0, -0.0, inf, 1})}, DType::f32);
  EXPECT_TRUE(std::signbit(y[0]));
  EXPECT_FALSE(std::signbit(y[1]));
  EXPECT_EQ(y[2], -inf);
}

TEST(Neg, RefusesIntegers) {
  EXPECT_EQ(refusal([](auto v) { return neg(v[0], "y"); }, {{DType::i64, {3}}}),
            "neg 'y': needs f32 or f64, got i64 [3]");
}

}  // namespace
}  // namespace gradmill
