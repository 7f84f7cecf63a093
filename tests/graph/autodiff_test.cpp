#include <gradmill/gradmill.h>
#include <gradmill/graph/autodiff.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "programs.h"

namespace gradmill {
namespace {

constexpr std::size_t kCount = 3;

std::vector<double> numbers(const Session& session, const Value& value) {
  const auto view = session.view(value).as<double>();
  return {view.begin(), view.end()};
}

/// One f64 input x = (0.5, -1, 2) and one parameter w = (3, 3, 3).
class Autodiff : public testing::Test {
 protected:
  std::vector<double> evaluate(const Value& value) {
    Session session(graph, {.fetches = {value}, .threads = 1});
    session.run({{x, data}});
    return numbers(session, value);
  }

  void expect_near(const Value& value, const std::vector<double>& expected) {
    const auto actual = evaluate(value);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(actual[i], expected[i], 1e-12 * (1 + std::abs(expected[i]))) << "at " << i;
    }
  }

  std::size_t count_ops(std::string_view op) const {
    return static_cast<std::size_t>(std::count_if(
        graph.nodes().begin(), graph.nodes().end(),
        [&](const Node& node) { return node.op != nullptr && node.op->name() == op; }));
  }

  Graph graph;
  std::vector<double> data = {0.5, -1, 2};
  Value x = graph.input("x", {kCount}, DType::f64);
  Value w = graph.parameter("w", {kCount}, Initializer::constant(3), DType::f64);
};

TEST_F(Autodiff, ForInputsParametersAndIntermediates) {
  const Value product = x * w;
  const Value y = product * product;  // x^2 w^2
  const auto results = gradients(y, {x, w, product, y});
  expect_near(results[0], {2 * 0.5 * 9, 2 * -1 * 9, 2 * 2 * 9});
  expect_near(results[1], {2 * 0.25 * 3, 2 * 1 * 3, 2 * 4 * 3});
  expect_near(results[2], {2 * 1.5, 2 * -3, 2 * 6});
  expect_near(results[3], {1, 1, 1});
}

TEST_F(Autodiff, GradientsHaveTheirValuesTypes) {
  const Value single = graph.input("single", {2, 1, 4});
  const Value other = graph.input("other", {3, 1});
  const Value y = tanh(single * other);
  const auto results = gradients(y, {single, other});
  EXPECT_EQ(results[0].type(), single.type());
  EXPECT_EQ(results[1].type(), other.type());
}

TEST_F(Autodiff, AValueUsedTwiceReceivesTheSum) {
  expect_near(gradients(x + x, {x})[0], {2, 2, 2});
  expect_near(gradients(x * x + x * 5.0 - x, {x})[0], {1 + 4, -2 + 4, 4 + 4});
}

TEST_F(Autodiff, UpstreamIsGivenOrOnes) {
  const Value y = x * w;
  const std::vector<double> weights = {10, 20, 30};
  const Value seed = graph.constant(std::span<const double>(weights), {kCount});
  expect_near(gradients({y}, {x}, {seed})[0], {30, 60, 90});
  expect_near(gradients({y}, {x}, {Value()})[0], {3, 3, 3});
  expect_near(gradients({y, x}, {x}, {seed, Value()})[0], {31, 61, 91});
  expect_near(gradients({y, y}, {x}, {seed, seed})[0], {60, 120, 180});
}

TEST_F(Autodiff, SeveralOutputsAddUp) {
  const std::vector<Value> outputs = {x * w, sum(x * x)};
  const std::vector<Value> wrt = {x};
  expect_near(gradients(outputs, wrt)[0], {3 + 1, 3 - 2, 3 + 4});
}

TEST_F(Autodiff, IsZeroWhereNothingFlowsBack) {
  const Value unrelated = graph.input("unrelated", {2, 2}, DType::f64);
  const auto results = gradients(x * 2.0, {w, unrelated, x});
  EXPECT_EQ(results[0].type(), w.type());
  EXPECT_EQ(results[1].type(), unrelated.type());
  expect_near(results[0], {0, 0, 0});
  expect_near(results[1], {0, 0, 0, 0});
  expect_near(results[2], {2, 2, 2});
}

TEST_F(Autodiff, AnEarlierValueDoesNotDependOnALaterOne) {
  const Value early = x * 2.0;
  const Value late = early * w;
  expect_near(gradients(early, {late})[0], {0, 0, 0});
}

TEST_F(Autodiff, AddsOnlyWhatWasAskedFor) {
  const Value a = graph.input("a", {4, 5}, DType::f64);
  const Value b = graph.input("b", {5, 6}, DType::f64);
  const Value y = matmul(a, b);
  gradients(y, {a});
  EXPECT_EQ(count_ops("matmul"), 2U);
  gradients(y, {b});
  EXPECT_EQ(count_ops("matmul"), 3U);
}

TEST_F(Autodiff, LeavesOutBranchesThatDoNotLeadToWrt) {
  const Value heavy = tanh(tanh(w));
  const std::size_t tanhs = count_ops("tanh");
  const Value y = x * 2.0 + heavy;
  const std::size_t before = graph.nodes().size();
  gradients(y, {x});
  EXPECT_EQ(count_ops("tanh"), tanhs);
  EXPECT_LE(graph.nodes().size() - before, 4U);
}

TEST_F(Autodiff, MarksItsNodesAsBackward) {
  const Value y = tanh(x * w);
  const std::size_t before = graph.nodes().size();
  gradients(y, {x, w});
  ASSERT_GT(graph.nodes().size(), before);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (graph.nodes()[i].kind != NodeKind::op) continue;
    EXPECT_EQ(graph.nodes()[i].phase, i < before ? Phase::forward : Phase::backward);
  }
}

TEST_F(Autodiff, SecondAndThirdOrder) {
  const Value y = x * x * x;
  const Value first = gradients(y, {x})[0];
  const Value second = gradients(first, {x})[0];
  const Value third = gradients(second, {x})[0];
  expect_near(first, {3 * 0.25, 3, 12});
  expect_near(second, {3, -6, 12});
  expect_near(third, {6, 6, 6});
}

TEST_F(Autodiff, SecondOrderThroughATranscendental) {
  const Value first = gradients(tanh(x), {x})[0];
  const Value second = gradients(first, {x})[0];
  std::vector<double> expected;
  for (const double value : data) {
    const double t = std::tanh(value);
    expected.push_back(-2 * t * (1 - t * t));
  }
  expect_near(second, expected);
}

TEST_F(Autodiff, BuildsOnGradients) {
  // |d/dx sum(x^2 w)|^2 = sum 4 x^2 w^2, differentiated with respect to w: 8 x^2 w.
  const Value first = gradients(x * x * w, {x})[0];
  const Value penalty = sum(first * first);
  expect_near(gradients(penalty, {w})[0], {8 * 0.25 * 3, 8 * 1 * 3, 8 * 4 * 3});
}

TEST_F(Autodiff, RefusesWhatHasNoGradientAndLeavesTheGraphAlone) {
  Graph other;
  const Value stranger = other.input("x", {kCount}, DType::f64);
  const Value whole = graph.input("whole", {kCount}, DType::i64);
  const Value narrow = graph.input("narrow", {kCount});
  const Value shorter = graph.input("shorter", {2}, DType::f64);
  const Value y = x * w;
  const auto refused = [&](std::initializer_list<Value> outputs, std::initializer_list<Value> wrt,
                           std::initializer_list<Value> upstream = {}) {
    const std::size_t before = graph.nodes().size();
    const std::string message = refusal_of([&] { gradients(outputs, wrt, upstream); });
    EXPECT_EQ(graph.nodes().size(), before);
    return message;
  };
  EXPECT_TRUE(mentions(refused({y}, {Value()}), {"null"}));
  EXPECT_TRUE(mentions(refused({Value()}, {x}), {"null"}));
  EXPECT_TRUE(mentions(refused({y}, {stranger}), {"another graph"}));
  EXPECT_TRUE(mentions(refused({stranger}, {x}), {"another graph"}));
  EXPECT_TRUE(mentions(refused({y}, {x}, {stranger}), {"another graph"}));
  EXPECT_TRUE(mentions(refused({y}, {whole}), {"'whole'", "i64"}));
  EXPECT_TRUE(mentions(refused({whole}, {x}), {"'whole'", "i64"}));
  EXPECT_TRUE(mentions(refused({y}, {x}, {narrow}), {"f32", "f64"}));
  EXPECT_TRUE(mentions(refused({y}, {x}, {shorter}), {"[2]", "[3]"}));
  refused({y}, {x}, {x, x});
}

class OpWithoutGradient : public Op {
 public:
  std::string_view name() const override { return "steps"; }
  std::vector<Type> infer(std::span<const Type> inputs) const override { return {inputs[0]}; }
  std::unique_ptr<Kernel> prepare(const PrepareContext&) const override { return nullptr; }
};

TEST_F(Autodiff, RefusesAnOpWithoutGradientOnTheWayOnly) {
  const Value stairs = graph.add(std::make_shared<OpWithoutGradient>(), {tanh(w)}, "stairs")[0];
  const Value y = stairs + x;
  const std::size_t before = graph.nodes().size();
  EXPECT_TRUE(mentions(refusal_of([&] { gradients(y, {w}); }), {"steps", "'stairs'", "gradient"}));
  EXPECT_EQ(graph.nodes().size(), before);
  const Value fine = gradients(y, {x})[0];
  EXPECT_EQ(fine.type(), x.type());
}

TEST_F(Autodiff, AGraphStaysUsableAfterARefusal) {
  refusal_of([&] { gradients(x * w, {Value()}); });
  expect_near(gradients(x * w, {x})[0], {3, 3, 3});
}

}  // namespace
}  // namespace gradmill
