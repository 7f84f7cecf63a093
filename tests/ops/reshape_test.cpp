#include <gradmill/ops/reshape.h>
#include <gtest/gtest.h>

#include <numeric>

#include "support/op_check.h"

namespace gradmill {
namespace {

Builder to(std::vector<std::int64_t> sizes) {
  return [=](std::span<const Value> x) { return reshape(x[0], sizes, "y"); };
}

Builder exchanging(int dim0, int dim1) {
  return [=](std::span<const Value> x) { return transpose(x[0], dim0, dim1, "y"); };
}

TEST(Reshape, KeepsTheElementsInOrder) {
  Random random(1);
  const Array x = random.array({4, 3, 1, 5});
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{60}, {-1}, {3, -1}, {2, -1, 3, 2}, {-1, 60}, {1, 60, 1}}) {
    std::vector<std::int64_t> expected = sizes;
    const auto open = std::ranges::find(expected, -1);
    if (open != expected.end()) {
      *open = -60 / std::accumulate(expected.begin(), expected.end(), std::int64_t{1},
                                    std::multiplies<>());
    }
    expect_values(
        to(sizes),
        [&](const std::vector<Array>& inputs) { return Array(Shape(expected), inputs[0].data); },
        {x}, {0, 0});
  }
}

TEST(Reshape, MovesNoBytes) {
  Graph graph;
  const Value x = graph.input("x", {6});
  const Value y = reshape(2.0 * x, {2, 3});
  const Value z = 3.0 * y;
  Session session(graph, {.fetches = {z}});
  EXPECT_EQ(session.plan().steps.size(), 2u);
  const std::vector<float> fed = {0, 1, 2, 3, 4, 5};
  session.run({{x, fed}});
  std::vector<float> result(6);
  session.fetch<float>(z, result);
  EXPECT_EQ(result, (std::vector<float>{0, 6, 12, 18, 24, 30}));
}

TEST(Reshape, OfAFedOrFetchedValueIsFetchedAsWell) {
  Random random(2);
  expect_values(to({3, 2}),
                [](const std::vector<Array>& x) {
                  return Array({3, 2}, x[0].data);
                },
                {random.array({6})}, {0, 0});
  Graph graph;
  const Value x = graph.parameter("x", {4}, Initializer::constant(2));
  const Value y = reshape(x, {2, 2});
  const Value z = reshape(y * y, {4});
  Session session(graph, {.fetches = {y, z}});
  session.run();
  EXPECT_EQ(session.view(y).type.shape, Shape({2, 2}));
  EXPECT_EQ(session.view(y).as<float>()[3], 2);
  EXPECT_EQ(session.view(z).as<float>()[3], 4);
}

TEST(Reshape, ScalarsAndVectorsOfOneConvert) {
  const Array x({1, 1}, 3.0);
  EXPECT_EQ(evaluate(to({}), {x}, DType::f32).shape, Shape());
  EXPECT_EQ(evaluate(to({-1}), {Array({}, 3.0)}, DType::f32).shape, Shape({1}));
}

TEST(Reshape, GradientsMatchCentralDifferences) {
  Random random(3);
  const Builder build = [](std::span<const Value> x) {
    const Value y = reshape(x[0], {3, -1});
    return y * y * x[1];
  };
  const std::vector<Array> inputs = {random.array({2, 1, 6}), random.array({4})};
  expect_gradients(build, inputs);
  expect_second_gradients(build, inputs);
}

TEST(Reshape, RefusesOtherCounts) {
  const Type type{DType::f32, {2, 3}};
  EXPECT_EQ(refusal(to({4}), {type}),
            "reshape 'y': cannot reshape [2, 3] to [4]: 6 elements are not 4");
  EXPECT_EQ(refusal(to({-1, 4}), {type}),
            "reshape 'y': cannot reshape [2, 3] to [-1, 4]: its 6 elements are no multiple of 4");
  EXPECT_EQ(refusal(to({-1, -1}), {type}), "reshape 'y': sizes [-1, -1]: only one may be -1");
  EXPECT_EQ(refusal(to({0, 6}), {type}),
            "reshape 'y': shape [0, 6]: every size must be at least 1, got 0");
  EXPECT_EQ(refusal(to({-1, -6}), {type}),
            "reshape 'y': shape [1, -6]: every size must be at least 1, got -6");
}

TEST(Transpose, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const int rank = 1 + static_cast<int>(seed % 5);
    const Shape shape = random.shape(rank, 9);
    const int dim0 = static_cast<int>(random.integer(-rank, rank - 1));
    const int dim1 = static_cast<int>(random.integer(-rank, rank - 1));
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " axes ", dim0, " and ", dim1));
    expect_values(exchanging(dim0, dim1),
                  [&](const std::vector<Array>& x) { return transpose(x[0], dim0, dim1); },
                  {random.array(shape)}, {0, 0});
  }
}

TEST(Transpose, BlocksCoverEveryElement) {
  struct Large {
    Shape shape;
    int dim0, dim1;
  };
  for (const Large& large :
       {Large{{257, 301}, 0, 1}, Large{{2, 1, 130, 3, 67}, 2, 4}, Large{{70, 66, 40}, 0, 1},
        Large{{3, 2, 40'000}, 0, 1}, Large{{1, 65'537}, 0, 1}, Large{{129, 2, 129}, 0, 2}}) {
    SCOPED_TRACE(to_string(large.shape));
    Array x(large.shape);
    std::iota(x.data.begin(), x.data.end(), 0.0);
    expect_values(exchanging(large.dim0, large.dim1),
                  [&](const std::vector<Array>& inputs) {
                    return transpose(inputs[0], large.dim0, large.dim1);
                  },
                  {x}, {0, 0});
  }
}

TEST(Transpose, TakesLabels) {
  Graph graph;
  const Value x = graph.input("x", {2, 3}, DType::i64);
  const Value y = transpose(x, 0, 1);
  const Value z = reshape(y, {6});
  Session session(graph, {.fetches = {z}});
  session.run({{x, std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}}});
  std::vector<std::int64_t> result(6);
  session.fetch<std::int64_t>(z, result);
  EXPECT_EQ(result, (std::vector<std::int64_t>{1, 4, 2, 5, 3, 6}));
}

TEST(Transpose, GradientsMatchCentralDifferences) {
  Random random(4);
  const Builder build = [](std::span<const Value> x) {
    const Value y = transpose(x[0], 0, -1);
    return y * y * x[1];
  };
  const std::vector<Array> inputs = {random.array({2, 3, 4}), random.array({3, 2})};
  expect_gradients(build, inputs);
  expect_second_gradients(build, inputs);
}

TEST(Transpose, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(5);
  const std::vector<Array> inputs = {random.array({257, 401})};
  EXPECT_GT(most_tiles(exchanging(0, 1), inputs), 2);
  expect_same_bits(exchanging(0, 1), inputs);
}

TEST(Transpose, RefusesUnknownAxes) {
  EXPECT_EQ(refusal(exchanging(0, 2), {{DType::f32, {2, 3}}}),
            "transpose 'y': axis 2 is out of range for shape [2, 3]: it must be in [-2, 2)");
  EXPECT_EQ(refusal(exchanging(-1, 0), {{DType::f32, {}}}),
            "transpose 'y': axis -1 is out of range for shape []: it must be in [0, 0)");
}

}  // namespace
}  // namespace gradmill
