// Ops on inputs of many tiles, where threads could make a difference: tests/reference/tiles.py.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "support/reference.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kClasses = 33;

// As in the script.
Array made(const Shape& shape, std::int64_t key) {
  Array x(shape);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<double>((7919 * i + 104729 * key) % 65521 - 32760) / 16384;
  }
  return x;
}

Value labels(Graph& graph, const Shape& shape) {
  std::vector<std::int64_t> labels(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<std::int64_t>(7 * i % kClasses);
  }
  return graph.constant(std::span<const std::int64_t>(labels), shape);
}

const std::map<std::string, Builder>& builders() {
  using Inputs = std::span<const Value>;
  static const std::map<std::string, Builder> builders = {
      {"matmul", [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul_transposed",
       [](Inputs x) { return matmul(x[0], x[1], {.transpose_a = true, .transpose_b = true}); }},
      {"matmul_batches", [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul_one_weight", [](Inputs x) { return matmul(x[0], x[1]); }},
      {"linear", [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"softmax_last", [](Inputs x) { return softmax(x[0]); }},
      {"log_softmax_middle", [](Inputs x) { return log_softmax(x[0], 1); }},
      {"cross_entropy_labels",
       [](Inputs x) {
         return cross_entropy(x[0], labels(x[0].graph(), {60, 40}),
                              {.reduction = Reduction::none, .label_smoothing = 0.1});
       }},
      {"cross_entropy_probabilities", [](Inputs x) { return cross_entropy(x[0], x[1]); }},
      {"sum_0", [](Inputs x) { return sum(x[0], {0}); }},
      {"mean", [](Inputs x) { return mean(x[0]); }},
      {"tanh", [](Inputs x) { return tanh(x[0]); }},
      {"mul", [](Inputs x) { return x[0] * x[1]; }},
  };
  return builders;
}

// The elements of `actual` that were kept. Where a sum of up to 2400 numbers cancels, what f32
// loses is a part of the numbers, so of the largest element, not of what is left.
void expect_some(const Array& actual, const Json& expected, DType dtype) {
  const std::int64_t stride = expected.at("stride");
  const std::int64_t kept = std::ssize(expected.at("data"));
  ASSERT_EQ(kept, (actual.size() + stride - 1) / stride);
  Array some({kept});
  double largest = 0;
  for (std::int64_t i = 0; i < kept; ++i) some[i] = actual[i * stride];
  for (const double x : actual.data) largest = std::max(largest, std::abs(x));
  expect_agrees(some, to_array(expected.at("data"), some.shape), dtype,
                {.absolute = 1e-6 * largest});
}

TEST(PyTorch, GivesTheSameInManyTiles) {
  const Json& cases = pytorch_numbers("tiles").at("cases");
  ASSERT_EQ(cases.size(), builders().size());
  for (const Json& tested : cases) {
    const std::string name = tested.at("op");
    SCOPED_TRACE(name);
    const Builder& build = builders().at(name);
    std::vector<Array> inputs;
    for (const Json& shape : tested.at("shapes")) {
      inputs.push_back(made(Shape(shape.get<std::vector<std::int64_t>>()), std::ssize(inputs)));
    }
    EXPECT_GT(most_tiles(build, inputs), 1) << "too small to say anything about threads";
    const Json& result = tested.at("result");
    const Shape shape(result.at("shape").get<std::vector<std::int64_t>>());
    with_threads([&](DType dtype, int threads) {
      Outcome actual = outcome(build, inputs, made(shape, std::ssize(inputs)), dtype, threads);
      EXPECT_EQ(actual.result.shape, shape);
      {
        SCOPED_TRACE("result");
        expect_some(actual.result, result.at("some"), dtype);
      }
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        SCOPED_TRACE(cat("gradient of input ", i));
        EXPECT_EQ(actual.gradients[i].shape, inputs[i].shape);
        expect_some(actual.gradients[i], tested.at("gradients").at(i), dtype);
      }
      actual.gradients.push_back(actual.result);
      return actual.gradients;
    });
  }
}

}  // namespace
}  // namespace gradmill
