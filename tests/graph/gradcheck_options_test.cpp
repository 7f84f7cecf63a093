// What gradcheck is asked to check, and what it draws by itself.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "function_op.h"
#include "programs.h"

namespace gradmill {
namespace {

Value identity(Value x, FunctionOp::Gradient gradient) {
  return function(x, each([](double v) { return v; }), std::move(gradient));
}

/// The identity, whose gradient is wrong by a factor at one element.
Value wrong_at(Value x, std::size_t element, double factor = 1.5) {
  return identity(x, [=](const GradientContext& c) {
    std::vector<double> mask(static_cast<std::size_t>(c.inputs[0].shape().elements()), 1.0);
    mask[element] = factor;
    return c.upstream[0] *
           c.upstream[0].graph().constant(std::span<const double>(mask), c.inputs[0].shape());
  });
}

GradcheckOptions few(std::uint64_t seed) {
  GradcheckOptions options;
  options.max_elements = 0;
  options.samples = 5;
  options.seed = seed;
  return options;
}

TEST(GradcheckSampling, IsTheSameForTheSameSeedAndAnotherForAnother) {
  std::set<std::string> tables;
  for (const std::uint64_t seed : {1, 2, 3}) {
    Graph graph;
    const Value x = graph.input("x", {30, 40}, DType::f64);
    const Value y = tanh(x);
    const GradcheckReport report = gradcheck(graph, y, {}, few(seed));
    EXPECT_TRUE(report.ok()) << report.message();
    EXPECT_EQ(report.tensors[0].checked, 5);
    ASSERT_TRUE(report.tensors[0].direction);
    EXPECT_EQ(report.tensors[0].direction->end, 1200);
    EXPECT_TRUE(mentions(report.table(), {" of "}));
    EXPECT_EQ(report.table(), gradcheck(graph, y, {}, few(seed)).table());
    EXPECT_TRUE(mentions(report.table(), {cat("seed ", seed), "5 of 1200 elements",
                                          "a random direction per tensor"}));
    tables.insert(report.table());
  }
  EXPECT_EQ(tables.size(), 3U);
}

TEST(GradcheckSampling, ReportsTheSameOnAnyNumberOfThreads) {
  const auto program = mlp(DType::f32, 64, {32, 48, 10});
  std::set<std::string> tables;
  for (const int threads : {1, 2, 4}) {
    GradcheckOptions options = few(1);
    options.threads = threads;
    tables.insert(gradcheck(program->graph, program->loss, program->feeds, options).table());
  }
  EXPECT_EQ(tables.size(), 1U);
}

TEST(GradcheckSampling, ChecksAllWhereThereAreFew) {
  Graph graph;
  const Value x = graph.input("x", {5}, DType::f64);
  const Value y = graph.input("y", {1000}, DType::f64);
  const GradcheckReport report = gradcheck(graph, sum(x * x) * sum(y), {}, few(0));
  EXPECT_TRUE(report.ok()) << report.message();
  EXPECT_EQ(report.tensors[0].checked, 5);
  EXPECT_FALSE(report.tensors[0].direction);
  EXPECT_EQ(report.tensors[1].checked, 5);
  EXPECT_TRUE(report.tensors[1].direction);
}

TEST(GradcheckSampling, MaxElementsCountsAllTensors) {
  Graph graph;
  const Value x = graph.input("x", {10}, DType::f64);
  const Value y = graph.input("y", {10}, DType::f64);
  for (const auto& [most, checked] : {std::pair(20, 10), std::pair(19, 5)}) {
    GradcheckOptions options = few(0);
    options.max_elements = most;
    EXPECT_EQ(gradcheck(graph, x * y, {}, options).tensors[0].checked, checked);
  }
}

TEST(GradcheckSampling, TheDirectionFindsAndNamesAnElementThatWasNotDrawn) {
  for (const std::size_t element : {0U, 1U, 777U, 4998U, 4999U}) {
    SCOPED_TRACE(element);
    Graph graph;
    const Value x = graph.input("x", {50, 100}, DType::f64);
    const GradcheckReport report = gradcheck(graph, wrong_at(x, element), {}, few(4));
    EXPECT_FALSE(report.ok());
    EXPECT_FALSE(report.tensors[0].direction->slope.ok());
    EXPECT_EQ(report.tensors[0].worst->element, static_cast<std::int64_t>(element));
    EXPECT_TRUE(mentions(report.message(),
                         {"'x' f64 [50, 100]", cat("at [", element / 100, ", ", element % 100, "]"),
                          "wrong gradient", "analytic", "seed 4"}));
  }
}

TEST(GradcheckSampling, KinksThatOnlyTheDirectionMeetsAreFine) {
  // At the kinks of all elements, half of them bent up and half down: the gradient 0 is between
  // the slopes of each, and not between those of a direction through them.
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    SCOPED_TRACE(seed);
    Graph graph;
    const Value x = graph.input("x", {32}, DType::f64);
    std::vector<double> signs(32);
    for (std::size_t i = 0; i < signs.size(); ++i) signs[i] = i % 2 == 0 ? 1 : -1;
    const Value y = relu(x) * graph.constant(std::span<const double>(signs), {32});
    const std::vector<double> zeros(32);
    const GradcheckReport report = gradcheck(graph, y, {{x, zeros}}, few(seed));
    EXPECT_TRUE(report.ok()) << report.table();
    EXPECT_GE(report.tensors[0].kinks, 5);
    EXPECT_EQ(report.tensors[0].direction->slope.verdict, GradcheckVerdict::kink);
    EXPECT_TRUE(mentions(report.table(), {"  kinks  "}));
    EXPECT_TRUE(mentions(report.message(),
                         {"fine; the direction through 'x' meets kinks, so its elements that were "
                          "not drawn are not checked"}));
    // An element that is wrong is found among them all the same.
    const Value wrong = wrong_at(x, 20, 4.0) + y;  // 4 where the slopes are 1 and 2
    EXPECT_FALSE(gradcheck(graph, wrong, {{x, zeros}}, few(seed)).ok());
  }
}

TEST(GradcheckChoice, LeavesOutAndNamesWhatHasNoGradient) {
  Graph graph;
  const Value x = graph.input("x", {4, 3});
  const Value labels = graph.input("labels", {4}, DType::i64);
  const Value blocked = graph.input("blocked", {4, 3});
  graph.parameter("unused", {2}, Initializer::zeros());
  const Value w = graph.parameter("w", {3, 3}, Initializer::normal());
  const Value mask = function(
      blocked, each([](double v) { return v; }),
      [](const GradientContext& c) { return c.upstream[0]; }, "mask", false);
  const Value loss = cross_entropy(matmul(x, w) + mask, labels);
  const std::vector<std::int64_t> ids = {0, 1, 2, 0};
  const GradcheckReport report = gradcheck(graph, loss, {{labels, ids}});
  EXPECT_TRUE(report.ok()) << report.message();
  ASSERT_EQ(report.tensors.size(), 2U);
  EXPECT_EQ(report.tensors[0].name, "x");
  EXPECT_EQ(report.tensors[1].name, "w");
  ASSERT_EQ(report.left_out.size(), 3U);
  EXPECT_TRUE(mentions(report.table(), {"left out: 'labels' i64 [4]: only f32 and f64",
                                        "left out: 'blocked' f32 [4, 3]: no gradient flows",
                                        "left out: 'unused' f32 [2]: the value does not depend"}));
  EXPECT_TRUE(mentions(report.message(), {"fine; no gradient flows to 'blocked'; seed 0"}));
}

TEST(GradcheckChoice, TakesWhatIsAskedFor) {
  Graph graph;
  const Value a = graph.input("a", {2});
  const Value b = graph.input("b", {2});
  const Value apart = graph.input("apart", {2});
  const Value y = a * wrong_at(b, 0);
  EXPECT_FALSE(gradcheck(graph, y).ok());
  const GradcheckReport report = gradcheck(graph, y, {}, {.wrt = {apart, a}});
  EXPECT_TRUE(report.ok()) << report.message();
  ASSERT_EQ(report.tensors.size(), 2U);
  EXPECT_EQ(report.tensors[0].name, "apart");
  EXPECT_EQ(report.tensors[0].worst->slope.numeric, 0);
  EXPECT_EQ(report.tensors[1].name, "a");
  EXPECT_TRUE(report.left_out.empty());
}

TEST(GradcheckChoice, AGradientThatIsSaidNotToFlowIsMissedWhenAskedFor) {
  Graph graph;
  const Value x = graph.input("x", {2});
  const Value y = function(
      x, each([](double v) { return v; }), [](const GradientContext& c) { return c.upstream[0]; },
      "f", false);
  EXPECT_FALSE(gradcheck(graph, y, {}, {.wrt = {x}}).ok());
}

TEST(GradcheckChoice, TakesAnInputOrAParameterForTheValue) {
  Graph graph;
  const Value x = graph.input("x", {2});
  const Value w = graph.parameter("w", {2}, Initializer::normal());
  for (const Value& value : {x, w}) {
    const GradcheckReport report = gradcheck(graph, value, {}, {.wrt = {x, w}});
    EXPECT_TRUE(report.ok()) << report.message();
    EXPECT_NE(report.tensors[value == x ? 0 : 1].worst->slope.analytic, 0);
    EXPECT_EQ(report.tensors[value == x ? 1 : 0].worst->slope.analytic, 0);
  }
}

TEST(GradcheckChoice, DrawsInputsThatAreNotFed) {
  const auto analytic = [](std::uint64_t seed) {
    Graph graph;
    const Value x = graph.input("x", {3});
    const GradcheckReport report = gradcheck(graph, x * x, {}, {.seed = seed});
    EXPECT_TRUE(report.ok()) << report.message();
    return report.tensors[0].worst->slope.analytic;
  };
  EXPECT_EQ(analytic(1), analytic(1));
  EXPECT_NE(analytic(1), analytic(2));
}

TEST(GradcheckChoice, KeepsTheMemoryThatIsFed) {
  Graph graph;
  const Value x = graph.input("x", {3}, DType::f64);
  const std::vector<double> values = {0.1, 0.2, 0.3};
  const std::vector<double> before = values;
  EXPECT_TRUE(gradcheck(graph, x * x, {{x, values.data()}}).ok());
  EXPECT_EQ(values, before);
}

}  // namespace
}  // namespace gradmill
