#include <gmock/gmock.h>
#include <gradmill/ops/matmul.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/op_check.h"

namespace gradmill {
namespace {

class Matmul : public testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  bool ta() const { return std::get<0>(GetParam()); }
  bool tb() const { return std::get<1>(GetParam()); }
  Builder builder() const {
    return [this](std::span<const Value> x) {
      return matmul(x[0], x[1], {.transpose_a = ta(), .transpose_b = tb()}, "y");
    };
  }
  Shape shape_a(std::int64_t m, std::int64_t k) const { return ta() ? Shape{k, m} : Shape{m, k}; }
  Shape shape_b(std::int64_t k, std::int64_t n) const { return tb() ? Shape{n, k} : Shape{k, n}; }
  Array reference(const std::vector<Array>& x) const {
    return matmul(ta() ? transpose(x[0], 0, 1) : x[0], tb() ? transpose(x[1], 0, 1) : x[1]);
  }
  void expect_product(std::int64_t m, std::int64_t n, std::int64_t k, std::uint64_t seed) const {
    SCOPED_TRACE(cat("seed ", seed, ": m ", m, ", n ", n, ", k ", k));
    Random random(seed);
    expect_values(builder(), [&](const std::vector<Array>& x) { return reference(x); },
                  {random.array(shape_a(m, k), -1, 1), random.array(shape_b(k, n), -1, 1)},
                  {.f32 = 2e-6 * std::sqrt(static_cast<double>(k)), .f64 = 1e-12});
  }
};

INSTANTIATE_TEST_SUITE_P(Transposed, Matmul, testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) ? "At" : "A") +
                                  (std::get<1>(tested.param) ? "Bt" : "B");
                         });

TEST_P(Matmul, MatchesTheReferenceOverRandomSizes) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    const auto size = [&] { return random.integer(0, 3) == 0 ? 1 : random.integer(1, 40); };
    expect_product(size(), size(), size(), seed);
  }
}

TEST_P(Matmul, MatchesTheReferenceForLongAndNarrowShapes) {
  expect_product(257, 129, 65, 1);
  expect_product(1, 1025, 33, 2);
  expect_product(515, 3, 129, 3);
  expect_product(33, 31, 1999, 4);
}

TEST_P(Matmul, MatchesTheReferenceOverManyTiles) {
  // Tiles beside, above, and both, none of the same size.
  for (const auto& [m, n] : {std::pair(140, 800), std::pair(800, 150), std::pair(300, 290)}) {
    constexpr std::int64_t kDepth = 301;
    EXPECT_GE(most_tiles(builder(), {Array(shape_a(m, kDepth)), Array(shape_b(kDepth, n))}), 4);
    expect_product(m, n, kDepth, 8);
  }
}

TEST_P(Matmul, BiasAndActivationReachEveryTile) {
  Random random(9);
  const Builder layer = [&](std::span<const Value> x) { return relu(builder()(x) + x[2]); };
  const std::vector<Array> inputs = {random.array(shape_a(300, 301), -1, 1),
                                     random.array(shape_b(301, 290), -1, 1), random.array({290})};
  EXPECT_GE(most_tiles(layer, inputs), 4);
  expect_values(layer,
                [&](const std::vector<Array>& x) {
                  const auto sum = [](double a, double b) { return std::max(a + b, 0.0); };
                  return zip(reference(x), x[2], sum);
                },
                inputs, {.f32 = 4e-5, .f64 = 1e-12});
}

TEST_P(Matmul, GradientsMatchCentralDifferences) {
  Random random(5);
  expect_gradients(builder(), {random.array(shape_a(3, 5)), random.array(shape_b(5, 2))});
  expect_gradients(builder(), {random.array(shape_a(1, 1)), random.array(shape_b(1, 7))});
  expect_second_gradients(builder(), {random.array(shape_a(3, 2)), random.array(shape_b(2, 3))});
}

TEST_P(Matmul, OfAValueWithItselfReceivesBothGradients) {
  Random random(6);
  expect_gradients(
      [&](std::span<const Value> x) {
        return matmul(x[0], x[0], {.transpose_a = ta(), .transpose_b = tb()});
      },
      {random.array({3, 3})});
}

TEST_P(Matmul, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(7);
  expect_same_bits(builder(), {random.array(shape_a(260, 301)), random.array(shape_b(301, 270))});
}

TEST_P(Matmul, OverwritesWhatWasInItsResult) {
  // A kernel that added 0 times the old content would keep a NaN from the first run.
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph graph;
    const Value a = graph.input("a", shape_a(2, 2), dtype);
    const Value b = graph.input("b", shape_b(2, 2), dtype);
    const Value c = matmul(a, b, {.transpose_a = ta(), .transpose_b = tb()});
    Session session(graph, {.fetches = {c}});
    const auto run = [&]<class T>(T first) {
      const std::vector<T> x = {first, 1, 1, 1};
      const std::vector<T> ones(4, 1);
      session.run({{a, x}, {b, ones}});
      return std::vector<T>(session.view(c).as<T>().begin(), session.view(c).as<T>().end());
    };
    if (dtype == DType::f32) {
      run(std::numeric_limits<float>::quiet_NaN());
      EXPECT_EQ(run(1.0f), (std::vector<float>{2, 2, 2, 2}));
    } else {
      run(std::numeric_limits<double>::quiet_NaN());
      EXPECT_EQ(run(1.0), (std::vector<double>{2, 2, 2, 2}));
    }
  }
}

TEST(MatmulGradient, OfTheWorkedExampleIsExact) {
  // [[1, 2], [3, 4]] [[5], [6]], from it dA = 1 B^T and dB = A^T 1.
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph graph;
    const Value a = graph.input("a", {2, 2}, dtype);
    const Value b = graph.input("b", {2, 1}, dtype);
    const Value c = matmul(a, b);
    const std::vector<Value> d = gradients({c}, {a, b}, {graph.constant(1.0, {2, 1}, dtype)});
    Session session(graph, {.fetches = {c, d[0], d[1]}});
    const auto expect = [&]<class T>(T) {
      session.run({{a, std::vector<T>{1, 2, 3, 4}}, {b, std::vector<T>{5, 6}}});
      EXPECT_THAT(session.view(c).as<T>(), testing::ElementsAre(17, 39));
      EXPECT_THAT(session.view(d[0]).as<T>(), testing::ElementsAre(5, 6, 5, 6));
      EXPECT_THAT(session.view(d[1]).as<T>(), testing::ElementsAre(4, 6));
    };
    if (dtype == DType::f32) {
      expect(0.0F);
    } else {
      expect(0.0);
    }
  }
}

TEST(MatmulRefusal, NamesBothShapes) {
  const auto plain = [](std::span<const Value> x) { return matmul(x[0], x[1], {}, "fc1"); };
  EXPECT_EQ(refusal(plain, {{DType::f32, {32, 128}}, {DType::f32, {64, 10}}}),
            "matmul 'fc1': inner dimensions differ: lhs [32, 128], rhs [64, 10]");
  const std::string dtype = refusal(plain, {{DType::f32, {2, 3}}, {DType::f64, {3, 2}}});
  EXPECT_NE(dtype.find("f32 [2, 3]"), std::string::npos) << dtype;
  EXPECT_NE(dtype.find("f64 [3, 2]"), std::string::npos) << dtype;
  const std::string integer = refusal(plain, {{DType::i64, {2, 3}}, {DType::i64, {3, 2}}});
  EXPECT_NE(integer.find("f32 or f64"), std::string::npos) << integer;
  const auto both = [](std::span<const Value> x) {
    return matmul(x[0], x[1], {.transpose_a = true, .transpose_b = true}, "fc1");
  };
  EXPECT_NE(refusal(both, {{DType::f32, {2, 3}}, {DType::f32, {3, 4}}}).find("inner dimensions"),
            std::string::npos);
}

}  // namespace
}  // namespace gradmill
