// Products of batches and of vectors; matmul_test.cpp has those of matrices.

#include <gmock/gmock.h>
#include <gradmill/ops/matmul.h>
#include <gtest/gtest.h>

#include <limits>

#include "support/op_check.h"

namespace gradmill {
namespace {

using testing::HasSubstr;

// The shapes of op(A) and op(B).
struct Operands {
  Shape a;
  Shape b;
};

const std::vector<Operands> kForms = {
    // vectors
    {{5}, {5}},
    {{1}, {1}},
    {{5}, {5, 3}},
    {{5}, {2, 5, 3}},
    {{5}, {2, 1, 4, 5, 3}},
    {{3, 5}, {5}},
    {{2, 3, 5}, {5}},
    {{2, 4, 1, 3, 5}, {5}},
    {{1, 5}, {5}},
    {{5}, {2, 5, 1}},
    // one operand without a batch, or with one of ones
    {{2, 3, 4}, {4, 5}},
    {{3, 4}, {2, 4, 5}},
    {{2, 3, 2, 4}, {4, 5}},
    {{1, 3, 4}, {4, 5}},
    {{1, 1, 3, 4}, {2, 4, 5}},
    {{2, 3, 4}, {1, 4, 5}},
    // the same batch
    {{2, 3, 4}, {2, 4, 5}},
    {{2, 3, 3, 4}, {2, 3, 4, 2}},
    // both broadcast
    {{4, 1, 3, 2}, {5, 2, 3}},
    {{5, 3, 2}, {4, 1, 2, 3}},
    {{2, 1, 3, 2, 2}, {3, 1, 2, 3}},
    {{2, 1, 3, 1, 2, 2}, {1, 2, 3, 4, 2, 1}},
    // matrices with axes of size 1
    {{4, 1, 3}, {4, 3, 2}},
    {{4, 2, 1}, {4, 1, 3}},
    {{4, 2, 3}, {4, 3, 1}},
    {{4, 1, 3}, {3, 2}},
    {{3, 1, 2}, {4, 1, 2, 1}},
    {{4, 3, 1}, {1, 2}},
};

class MatmulBatch : public testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  bool ta() const { return std::get<0>(GetParam()); }
  bool tb() const { return std::get<1>(GetParam()); }
  Builder builder() const {
    return [this](std::span<const Value> x) {
      return matmul(x[0], x[1], {.transpose_a = ta(), .transpose_b = tb()}, "y");
    };
  }
  // Whether the operands can be stored as this test stores them.
  bool applies(const Operands& x) const {
    return (!ta() || x.a.rank() > 1) && (!tb() || x.b.rank() > 1);
  }
  static Shape stored(const Shape& shape, bool transposed) {
    std::vector<std::int64_t> sizes = shape.sizes();
    if (transposed) std::swap(sizes.back(), *(sizes.end() - 2));
    return Shape(sizes);
  }
  std::vector<Array> arrays(Random& random, const Operands& x) const {
    return {random.array(stored(x.a, ta())), random.array(stored(x.b, tb()))};
  }
  Array reference(const std::vector<Array>& x) const {
    return matmul(ta() ? transpose(x[0], -2, -1) : x[0], tb() ? transpose(x[1], -2, -1) : x[1]);
  }
  void expect_product(Random& random, const Operands& x) const {
    expect_values(builder(), [&](const std::vector<Array>& y) { return reference(y); },
                  arrays(random, x), {.f32 = 1e-5, .f64 = 1e-13});
  }
};

INSTANTIATE_TEST_SUITE_P(Transposed, MatmulBatch,
                         testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) ? "At" : "A") +
                                  (std::get<1>(tested.param) ? "Bt" : "B");
                         });

TEST_P(MatmulBatch, MatchesTheReferenceInEveryForm) {
  for (const Operands& x : kForms) {
    if (!applies(x)) continue;
    SCOPED_TRACE(cat("seed 1: ", x.a, " times ", x.b));
    Random random(1);
    expect_product(random, x);
  }
}

TEST_P(MatmulBatch, MatchesTheReferenceOverRandomBatches) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    const Shape batch = random.shape(static_cast<int>(random.integer(0, 4)), 4);
    const auto some = [&](std::int64_t rows, std::int64_t columns) {
      std::vector<std::int64_t> sizes(batch.begin() + random.integer(0, batch.rank()), batch.end());
      for (std::int64_t& size : sizes) {
        if (random.integer(0, 2) == 0) size = 1;
      }
      sizes.insert(sizes.end(), {rows, columns});
      return Shape(sizes);
    };
    const Shape sizes = random.shape(3, 6);
    const Operands x{some(sizes[0], sizes[2]), some(sizes[2], sizes[1])};
    SCOPED_TRACE(cat("seed ", seed, ": ", x.a, " times ", x.b));
    expect_product(random, x);
    expect_gradients(builder(), arrays(random, x));
  }
}

TEST_P(MatmulBatch, GradientsMatchCentralDifferencesInEveryForm) {
  for (const Operands& x : kForms) {
    if (!applies(x)) continue;
    SCOPED_TRACE(cat("seed 2: ", x.a, " times ", x.b));
    Random random(2);
    expect_gradients(builder(), arrays(random, x));
  }
}

TEST_P(MatmulBatch, SecondGradientsMatchCentralDifferences) {
  const std::vector<Operands> forms = {
      {{3}, {3}},          {{2}, {2, 2, 3}},          {{2, 2, 3}, {3}},      {{2, 2, 2}, {2, 3}},
      {{2, 3}, {2, 3, 1}}, {{2, 1, 2, 2}, {3, 2, 1}}, {{2, 1, 3}, {2, 3, 2}}};
  for (const Operands& x : forms) {
    if (!applies(x)) continue;
    SCOPED_TRACE(cat("seed 3: ", x.a, " times ", x.b));
    Random random(3);
    expect_second_gradients(builder(), arrays(random, x));
  }
}

TEST_P(MatmulBatch, OfAValueWithItselfReceivesBothGradients) {
  Random random(4);
  expect_gradients(
      [&](std::span<const Value> x) {
        return matmul(x[0], x[0], {.transpose_a = ta(), .transpose_b = tb()});
      },
      {random.array({2, 3, 3})});
}

TEST_P(MatmulBatch, GivesTheSameBitsOnAnyNumberOfThreads) {
  for (const Operands& x : {Operands{{3, 130, 140}, {140, 270}},        // folds
                            Operands{{3, 1, 130, 140}, {2, 140, 270}},  // several tiles each
                            Operands{{40, 50, 60}, {40, 60, 30}}}) {    // several in a tile
    SCOPED_TRACE(cat("seed 5: ", x.a, " times ", x.b));
    Random random(5);
    expect_same_bits(builder(), arrays(random, x));
  }
}

TEST_P(MatmulBatch, OverwritesWhatWasInItsResult) {
  // da is a sum of products, of which the first must not add to the NaN of the run before.
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph graph;
    const Value a = graph.input("a", {2, 2}, dtype);
    const Value b = graph.input("b", {3, 2, 2}, dtype);
    const Value c = matmul(a, b, {.transpose_a = ta(), .transpose_b = tb()});
    const Value da = gradients(sum(c), {a})[0];
    Session session(graph, {.fetches = {c, da}});
    const auto expect = [&]<class T>(T nan) {
      const std::vector<T> ones(12, 1);
      const std::vector<T> nans(12, nan);
      session.run({{a, std::span(nans).first(4)}, {b, nans}});
      session.run({{a, std::span(ones).first(4)}, {b, ones}});
      EXPECT_THAT(session.view(c).as<T>(), testing::Each(2));
      EXPECT_THAT(session.view(da).as<T>(), testing::Each(6));
    };
    if (dtype == DType::f32) {
      expect(std::numeric_limits<float>::quiet_NaN());
    } else {
      expect(std::numeric_limits<double>::quiet_NaN());
    }
  }
}

TEST(MatmulBatchRefusal, NamesTheShapesThatTheUserGave) {
  const auto message = [](const Shape& a, const Shape& b, MatmulOptions options = {}) {
    return refusal([&](std::span<const Value> x) { return matmul(x[0], x[1], options, "y"); },
                   {{DType::f32, a}, {DType::f32, b}});
  };
  EXPECT_EQ(message({}, {3}), "matmul 'y': operands need at least one axis, got lhs [], rhs [3]");
  EXPECT_EQ(message({2, 3}, {}),
            "matmul 'y': operands need at least one axis, got lhs [2, 3], rhs []");
  EXPECT_EQ(message({3}, {4}), "matmul 'y': inner dimensions differ: lhs [3], rhs [4]");
  EXPECT_EQ(message({3}, {2, 4, 5}), "matmul 'y': inner dimensions differ: lhs [3], rhs [2, 4, 5]");
  EXPECT_EQ(message({2, 4, 5}, {4}), "matmul 'y': inner dimensions differ: lhs [2, 4, 5], rhs [4]");
  EXPECT_EQ(message({2, 3, 4}, {2, 3, 4}),
            "matmul 'y': inner dimensions differ: lhs [2, 3, 4], rhs [2, 3, 4]");
  EXPECT_EQ(message({7, 3, 4}, {2, 3, 4}, {.transpose_b = true}),
            "matmul 'y': batch axes do not broadcast: lhs [7, 3, 4], rhs [2, 3, 4]: on axis -3, 7 "
            "and 2 differ and neither is 1");
  EXPECT_THAT(message({3, 2, 5, 4}, {2, 2, 4, 5}),
              HasSubstr("lhs [3, 2, 5, 4], rhs [2, 2, 4, 5]: on axis -4, 3 and 2 differ"));
  EXPECT_EQ(message({3}, {3, 4}, {.transpose_a = true}),
            "matmul 'y': transpose_a exchanges the last two axes, and lhs [3] has one");
  EXPECT_EQ(message({4, 3}, {3}, {.transpose_b = true}),
            "matmul 'y': transpose_b exchanges the last two axes, and rhs [3] has one");
  EXPECT_THAT(refusal([](std::span<const Value> x) { return matmul(x[0], x[1]); },
                      {{DType::i64, {2, 2, 3}}, {DType::i64, {3}}}),
              HasSubstr("operands must be f32 or f64, got lhs i64 [2, 2, 3], rhs i64 [3]"));
  EXPECT_THAT(refusal([](std::span<const Value> x) { return matmul(x[0], x[1]); },
                      {{DType::f64, {2, 2, 3}}, {DType::f32, {3}}}),
              HasSubstr("differ in dtype: lhs f64 [2, 2, 3], rhs f32 [3]"));
}

}  // namespace
}  // namespace gradmill
