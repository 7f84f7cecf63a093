// What the constructor of a session refuses.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>

#include "programs.h"

namespace gradmill {
namespace {

TEST(SessionOptions, LossMustBeAFloatingScalarOfTheGraph) {
  Graph graph;
  const Value x = graph.input("x", {3});
  const Value w = graph.parameter("w", {3}, Initializer::zeros());
  const Value whole = graph.input("whole", {}, DType::i64);
  const auto with = [&](Value loss) {
    return refusal_of([&] { Session(graph, {.loss = loss, .optimizer = SGD{}}); });
  };
  EXPECT_TRUE(mentions(with(x * w), {"loss", "scalar", "[3]"}));
  EXPECT_TRUE(mentions(with(whole), {"'whole'", "i64"}));
  EXPECT_TRUE(mentions(with(sum(x)), {"no parameter"}));
  Graph other;
  EXPECT_TRUE(mentions(with(other.input("loss", {})), {"another graph"}));
  EXPECT_NO_THROW(Session(graph, {.loss = sum(x * w), .optimizer = SGD{}}));
}

TEST(SessionOptions, OptimizerAndGradientsNeedALoss) {
  Graph graph;
  const Value w = graph.parameter("w", {3}, Initializer::zeros());
  EXPECT_TRUE(
      mentions(refusal_of([&] { Session(graph, {.optimizer = SGD{}}); }), {"optimizer", "loss"}));
  EXPECT_TRUE(mentions(refusal_of([&] { Session(graph, {.gradients = {w}}); }), {"loss"}));
  refusal_of([&] { Session(graph, {.fetches = {Value()}}); });
  Graph other;
  const Value stranger = other.input("x", {3});
  refusal_of([&] { Session(graph, {.fetches = {stranger}}); });
}

TEST(SessionOptions, SharedParametersMustFit) {
  const auto model = [](Graph& graph, std::int64_t outputs, DType dtype, const char* name) {
    return linear(graph.input("x", {2, 3}, dtype), outputs, name);
  };
  Graph graph;
  model(graph, 4, DType::f32, "fc");
  const auto shared = std::make_shared<Parameters>(graph);
  const auto with = [&](std::int64_t outputs, DType dtype, const char* name) {
    Graph other;
    const Value y = model(other, outputs, dtype, name);
    return refusal_of([&] { Session(other, {.fetches = {y}, .parameters = shared}); });
  };
  EXPECT_TRUE(mentions(with(4, DType::f32, "head"), {"'head.weight'", "'head.bias'", "missing"}));
  EXPECT_TRUE(mentions(with(5, DType::f32, "fc"), {"'fc.weight'", "[4, 3]", "[5, 3]"}));
  EXPECT_TRUE(mentions(with(4, DType::f64, "fc"), {"'fc.weight'", "f32", "f64"}));
}

TEST(SessionOptions, OptimizersRefuseSettingsThatMakeNoSense) {
  using Made = std::shared_ptr<const Optimizer>;
  EXPECT_TRUE(mentions(refusal_of([] { Made made = SGD{.lr = -1}; }), {"lr", "-1"}));
  refusal_of([] { Made made = SGD{.momentum = -0.1}; });
  refusal_of([] { Made made = SGD{.weight_decay = -0.1}; });
  refusal_of([] { Made made = SGD{.nesterov = true}; });
  refusal_of([] { Made made = AdamW{.lr = std::nan("")}; });
  refusal_of([] { Made made = AdamW{.beta1 = 1.0}; });
  refusal_of([] { Made made = AdamW{.beta2 = -0.1}; });
  refusal_of([] { Made made = AdamW{.eps = -1}; });
}

}  // namespace
}  // namespace gradmill
