#include <gmock/gmock.h>
#include <gradmill/ops/linear.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using testing::HasSubstr;

Value build(std::span<const Value> x) {
  return linear(x[0], x[1], x.size() > 2 ? x[2] : Value(), "fc");
}

Array reference(const std::vector<Array>& x) {
  const std::int64_t in = x[1].shape[1];
  const Array flat({x[0].size() / in, in}, x[0].data);
  Array y = matmul(flat, transpose(x[1], 0, 1));
  if (x.size() > 2) y = zip(y, x[2], std::plus<>());
  std::vector<std::int64_t> sizes = x[0].shape.sizes();
  sizes.back() = x[1].shape[0];
  return Array(Shape(sizes), y.data);
}

TEST(Linear, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(1 + static_cast<int>(seed % 4), 11);
    const std::int64_t in = shape[shape.rank() - 1];
    const std::int64_t out = random.integer(1, 13);
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " to ", out));
    std::vector<Array> inputs = {random.array(shape), random.array({out, in})};
    if (seed % 3 != 0) inputs.push_back(random.array({out}));
    expect_values(build, reference, inputs, {.f32 = 2e-5, .f64 = 1e-13});
  }
}

TEST(Linear, GradientsMatchCentralDifferences) {
  Random random(1);
  for (const Shape& shape : {Shape{3, 4}, Shape{4}, Shape{2, 1, 4}}) {
    SCOPED_TRACE(to_string(shape));
    expect_gradients(build, {random.array(shape), random.array({5, 4}), random.array({5})});
  }
  expect_second_gradients(build, {random.array({3, 2}), random.array({2, 2}), random.array({2})});
}

TEST(Linear, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(2);
  const std::vector<Array> inputs = {random.array({257, 129}), random.array({301, 129}),
                                     random.array({301})};
  expect_same_bits(build, inputs);
  expect_same_bits([](auto x) { return tanh(build(x)); }, inputs);
}

TEST(Linear, IsOneFusedProductOnAnyRank) {
  for (const auto& [shape, kernel] :
       {std::pair{Shape{4}, "dnnl_sgemm, 1x1 tiles of 1x5, then bias+relu"},
        std::pair{Shape{3, 4}, "dnnl_sgemm, 1x1 tiles of 3x5, then bias+relu"},
        std::pair{Shape{2, 3, 4}, "dnnl_sgemm, 1x1 tiles of 6x5, then bias+relu"}}) {
    Graph graph;
    const Value y = relu(linear(graph.input("x", shape), 5, "fc"));
    const Session session(graph, {.fetches = {y}});
    ASSERT_EQ(session.plan().steps.size(), 1U) << shape;
    EXPECT_EQ(session.plan().steps[0].kernel->description(), kernel);
  }
}

TEST(Linear, DeclaresItsParametersAsPyTorchDoes) {
  Graph graph;
  const Value x = graph.input("x", {2, 3, 100}, DType::f64);
  const Value y = linear(x, 40, "fc1");
  EXPECT_EQ(y.type(), (Type{DType::f64, {2, 3, 40}}));
  EXPECT_EQ(graph.find("fc1.weight").type(), (Type{DType::f64, {40, 100}}));
  EXPECT_EQ(graph.find("fc1.bias").type(), (Type{DType::f64, {40}}));
  linear(x, 7, "plain", {.bias = false});
  EXPECT_TRUE(graph.find("plain.weight"));
  EXPECT_FALSE(graph.find("plain.bias"));

  const Parameters parameters(graph, 3);
  for (const char* name : {"fc1.weight", "fc1.bias"}) {
    double most = 0;
    for (const double value : parameters.view(name).as<double>()) {
      most = std::max(most, std::abs(value));
    }
    EXPECT_LE(most, 0.1) << name;
    EXPECT_GT(most, 0.09) << name;
  }
}

TEST(Linear, RefusesWhatDoesNotFit) {
  const auto declared = [](const std::string& name, std::int64_t out) {
    return [=](std::span<const Value> x) { return linear(x[0], out, name); };
  };
  EXPECT_THAT(refusal(declared("", 3), {{DType::f32, {2, 4}}}), HasSubstr("a name is needed"));
  EXPECT_THAT(refusal(declared("fc", 0), {{DType::f32, {2, 4}}}),
              HasSubstr("linear 'fc': out_features must be at least 1, got 0"));
  EXPECT_THAT(refusal(declared("fc", 3), {{DType::f32, {}}}),
              HasSubstr("linear 'fc': the input needs at least one axis"));
  EXPECT_THAT(refusal(declared("fc", 3), {{DType::i64, {2, 4}}}),
              HasSubstr("linear 'fc': the input must be f32 or f64, got i64 [2, 4]"));
  EXPECT_THAT(refusal(build, {{DType::f32, {2, 4}}, {DType::f32, {3, 5}}}),
              HasSubstr("a weight for input [2, 4] must be [out, 4], got [3, 5]"));
  EXPECT_THAT(refusal(build, {{DType::f32, {2, 4}}, {DType::f32, {3, 4}}, {DType::f32, {4}}}),
              HasSubstr("a bias for weight [3, 4] must be [3], got [4]"));

  Graph graph;
  const Value x = graph.input("x", {2, 4});
  linear(x, 3, "fc");
  const std::size_t nodes = graph.nodes().size();
  EXPECT_THAT(error_of([&] { linear(x, 3, "fc"); }), HasSubstr("'fc.weight' is taken"));
  EXPECT_EQ(graph.nodes().size(), nodes);
}

}  // namespace
}  // namespace gradmill
