#include <gmock/gmock.h>
#include <gradmill/ops/embedding.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using Indices = std::vector<std::int64_t>;

Indices draw(Random& random, std::int64_t count, std::int64_t num) {
  Indices indices(static_cast<std::size_t>(count));
  std::ranges::generate(indices, [&] { return random.integer(0, num - 1); });
  return indices;
}

Builder looking_up(const Indices& indices, const Shape& shape, EmbeddingOptions options = {}) {
  return [=](std::span<const Value> x) {
    const Value constant = x[0].graph().constant(std::span<const std::int64_t>(indices), shape);
    return embedding(constant, x[0], options, "y");
  };
}

// The gradient of the table under an upstream that is the input.
Builder scattering(const Indices& indices, const Shape& shape, const Shape& table,
                   EmbeddingOptions options = {}) {
  return [=](std::span<const Value> x) {
    Graph& graph = x[0].graph();
    const Value weight = graph.constant(0.5, table, x[0].dtype());
    const Value y =
        embedding(graph.constant(std::span<const std::int64_t>(indices), shape), weight, options);
    return gradients(std::span(&y, 1), std::span(&weight, 1), std::span(x.data(), 1))[0];
  };
}

Shape behind(const Shape& shape, std::int64_t dim) {
  std::vector<std::int64_t> sizes = shape.sizes();
  sizes.push_back(dim);
  return Shape(sizes);
}

Array gathered(const Indices& indices, const Shape& shape, const Array& weight) {
  Array y(behind(shape, weight.shape[1]));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const auto [place, column] = std::div(i, weight.shape[1]);
    y[i] = weight(indices[static_cast<std::size_t>(place)], column);
  }
  return y;
}

Array scattered(const Indices& indices, const Shape& table, const Array& dy,
                std::int64_t padding = -1) {
  Array dw(table);
  for (std::int64_t i = 0; i < dy.size(); ++i) {
    const auto [place, column] = std::div(i, table[1]);
    const std::int64_t row = indices[static_cast<std::size_t>(place)];
    if (row != padding) dw(row, column) += dy[i];
  }
  return dw;
}

TEST(Embedding, LooksUpRowsOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 4), 12);
    const Shape table{random.integer(1, 20), random.integer(1, 70)};
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " of ", table));
    const Indices indices = draw(random, shape.elements(), table[0]);
    expect_values(looking_up(indices, shape),
                  [&](const std::vector<Array>& x) { return gathered(indices, shape, x[0]); },
                  {random.array(table)}, {0, 0});
  }
}

TEST(Embedding, GradientsSumTheRowsOfEachIndex) {
  for (std::uint64_t seed = 30; seed < 60; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 4), 12);
    const Shape table{random.integer(1, 20), random.integer(1, 70)};
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " of ", table));
    const Indices indices = draw(random, shape.elements(), table[0]);
    EmbeddingOptions options;
    std::int64_t padding = -1;
    if (seed % 2 == 1) {
      padding = random.integer(0, table[0] - 1);
      options.padding_idx = seed % 4 == 1 ? padding : padding - table[0];
    }
    expect_values(
        scattering(indices, shape, table, options),
        [&](const std::vector<Array>& x) { return scattered(indices, table, x[0], padding); },
        {random.array(behind(shape, table[1]))}, {.f32 = 2e-5});
  }
}

// Many rows, few wide rows that take many others, rows wider than a tile, and a single row.
TEST(Embedding, GradientsOfEveryGridMatchTheReference) {
  struct Case {
    Shape table;
    std::int64_t count;
  };
  for (const auto& [table, count] :
       {Case{{5003, 37}, 300}, Case{{2, 777}, 4000}, Case{{3, 40000}, 5}, Case{{1, 129}, 3000},
        Case{{300, 1}, 70000}}) {
    SCOPED_TRACE(cat(count, " of ", table));
    Random random(70);
    Indices indices = draw(random, count, table[0]);
    // Half of them meet in one row.
    for (std::size_t i = 0; i < indices.size(); i += 2) indices[i] = table[0] - 1;
    // Multiples of 1/8 add up without rounding.
    const Array dy =
        map(random.array({count, table[1]}), [](double x) { return std::round(8 * x) / 8; });
    expect_values(scattering(indices, {count}, table),
                  [&](const std::vector<Array>& x) { return scattered(indices, table, x[0]); },
                  {dy}, {0, 0});
  }
}

TEST(Embedding, PaddingIsLookedUpAndGetsNoGradient) {
  const Indices indices = {2, 0, 2, 1};
  const Array weight({3, 2}, {1, 2, 3, 4, 5, 6});
  for (const std::int64_t padding : {2, -1}) {
    const EmbeddingOptions options{.padding_idx = padding};
    EXPECT_EQ(evaluate(looking_up(indices, {4}, options), {weight}, DType::f32).data,
              (std::vector<double>{5, 6, 1, 2, 5, 6, 3, 4}));
    EXPECT_EQ(
        evaluate(scattering(indices, {4}, {3, 2}, options), {Array({4, 2}, 1)}, DType::f32).data,
        (std::vector<double>{1, 1, 1, 1, 0, 0}));
  }
}

TEST(Embedding, GradientsMatchCentralDifferences) {
  Random random(80);
  const Indices indices = {3, 0, 3, 4, 1, 3};
  for (const Shape& shape : {Shape{6}, Shape{2, 3}}) {
    const Builder build = [&](std::span<const Value> x) {
      const Value y = looking_up(indices, shape)(x);
      return y * y;
    };
    expect_gradients(build, {random.array({5, 3})});
    expect_second_gradients(build, {random.array({5, 3})});
  }
  // A difference quotient sees the padding row, so it must be that of a function that does not.
  const Builder padded = scattering(indices, {6}, {5, 3}, {.padding_idx = 3});
  const Builder square = [&](std::span<const Value> x) {
    const Value dw = padded(x);
    return dw * dw;
  };
  expect_gradients(square, {random.array({6, 3})});
  expect_second_gradients(square, {random.array({6, 3})});
}

TEST(Embedding, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(81);
  for (const Shape& table : {Shape{2003, 65}, Shape{3, 700}}) {
    const Indices indices = draw(random, 1500, table[0]);
    const Builder build = looking_up(indices, {1500});
    EXPECT_GT(most_tiles(build, {Array(table)}), 2);
    EXPECT_GT(most_tiles(scattering(indices, {1500}, table), {Array({1500, table[1]})}), 2);
    expect_same_bits(build, {random.array(table)});
  }
}

TEST(Embedding, RefusesTypesThatDoNotFit) {
  const Builder build = [](std::span<const Value> x) { return embedding(x[0], x[1], {}, "y"); };
  const Type indices{DType::i64, {2, 3}};
  EXPECT_EQ(refusal(build, {{DType::f32, {2}}, {DType::f32, {5, 3}}}),
            "embedding 'y': indices must be i64, got f32 [2] for weight f32 [5, 3]");
  EXPECT_EQ(refusal(build, {indices, {DType::f32, {5}}}),
            "embedding 'y': weight must be f32 or f64 of shape [num, dim], got f32 [5] for indices "
            "i64 [2, 3]");
  EXPECT_THAT(refusal(build, {indices, {DType::i64, {5, 3}}}), testing::HasSubstr("i64 [5, 3]"));
  for (const std::int64_t padding : {-6, 5}) {
    const Builder padded = [=](std::span<const Value> x) {
      return embedding(x[0], x[1], {.padding_idx = padding}, "y");
    };
    EXPECT_EQ(refusal(padded, {indices, {DType::f32, {5, 3}}}),
              cat("embedding 'y': padding_idx ", padding,
                  " is out of range for weight [5, 3]: it must be in [-5, 5)"));
  }
}

TEST(Embedding, RefusesIndicesOutOfRangeAndGoesOn) {
  Graph graph;
  const Value weight = graph.parameter("weight", {5, 2}, Initializer::constant(2));
  const Value indices = graph.input("indices", {2, 3}, DType::i64);
  const Value y = embedding(indices, weight, {}, "tokens");
  Session session(graph, {.fetches = {y}});
  Indices values(6, 4);
  for (const std::int64_t bad : {std::int64_t{-1}, std::int64_t{5}, std::int64_t{1} << 60}) {
    values[5] = bad;
    EXPECT_EQ(error_of([&] {
                session.run({{indices, values}});
              }),
              cat("embedding 'tokens': index ", bad, " at [1, 2] is out of range [0, 5)"));
  }
  values[5] = 0;
  session.run({{indices, values}});
  EXPECT_EQ(session.view(y).as<float>()[11], 2);
}

// The forward node is not part of this plan.
TEST(Embedding, GradientsAloneLeaveIndicesOutOfRangeAside) {
  for (const std::int64_t bad : {std::int64_t{-1}, std::int64_t{2}, INT64_MIN, INT64_MAX}) {
    const Array dw =
        evaluate(scattering({0, bad, 1}, {3}, {2, 1}), {Array({3, 1}, {1, 2, 4})}, DType::f64);
    EXPECT_EQ(dw.data, (std::vector<double>{1, 4}));
  }
}

}  // namespace
}  // namespace gradmill
