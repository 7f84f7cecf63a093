#include <gradmill/gradmill.h>
#include <gradmill/graph/passes/rewrite.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "function_op.h"
#include "programs.h"

namespace gradmill {
namespace {

std::vector<RewriteOptions> combinations() {
  std::vector<RewriteOptions> result;
  for (int bits = 0; bits < 8; ++bits) {
    result.push_back(
        {.fuse = (bits & 1) != 0, .merge_equal = (bits & 2) != 0, .drop_dead = (bits & 4) != 0});
  }
  return result;
}

std::string text(const RewriteOptions& options) {
  return cat("fuse ", options.fuse, ", merge_equal ", options.merge_equal, ", drop_dead ",
             options.drop_dead);
}

/// Every combination of switches gives the bits that none of them gives.
void expect_equal_results(const Program& program, SessionOptions options) {
  options.rewrites = combinations().front();
  const auto expected = outcome(program, options, 2);
  for (const RewriteOptions& rewrites : combinations()) {
    SCOPED_TRACE(text(rewrites));
    options.rewrites = rewrites;
    const auto actual = outcome(program, options, 2);
    ASSERT_EQ(actual.size(), expected.size());
    for (const auto& [name, bytes] : expected) EXPECT_EQ(actual.at(name), bytes) << name;
  }
}

std::size_t plan_steps(const Program& program, const RewriteOptions& rewrites,
                       std::vector<Value> fetches = {}) {
  const Session session(program.graph, {.loss = program.loss,
                                        .optimizer = SGD{.lr = 0.1},
                                        .fetches = std::move(fetches),
                                        .threads = 1,
                                        .rewrites = rewrites});
  return session.plan().steps.size();
}

struct Case {
  const char* name;
  Value (*activation)(Value);
};

class RewrittenPerceptron : public testing::TestWithParam<Case> {};

TEST_P(RewrittenPerceptron, GivesTheSameBits) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    SCOPED_TRACE(to_string(dtype));
    const auto program = mlp(dtype, 19, {13, 21, 17, 5}, GetParam().activation);
    expect_equal_results(*program, {.optimizer = AdamW{.lr = 1e-2}, .threads = 2});
    program->fetches.clear();  // with the activations' inputs free to be folded away
    expect_equal_results(*program, {.optimizer = SGD{.lr = 0.1, .momentum = 0.9}, .threads = 1});
  }
}

INSTANTIATE_TEST_SUITE_P(Activations, RewrittenPerceptron,
                         testing::Values(Case{"relu", [](Value x) { return relu(x); }},
                                         Case{"tanh", [](Value x) { return tanh(x); }},
                                         Case{"sigmoid", [](Value x) { return sigmoid(x); }}),
                         [](const testing::TestParamInfo<Case>& parameter) {
                           return parameter.param.name;
                         });

TEST(Rewrite, GivesTheSameBitsOnRandomGraphs) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const auto program = random_program(seed % 2 == 0 ? DType::f32 : DType::f64, seed, 12);
    expect_equal_results(*program, {.optimizer = SGD{.lr = 0.1}, .threads = 1});
  }
}

TEST(Rewrite, FusingTakesStepsOutOfThePlan) {
  const auto program = mlp(DType::f32, 16, {8, 8, 8, 4});
  EXPECT_LT(plan_steps(*program, {.fuse = true}), plan_steps(*program, {.fuse = false}));
}

TEST(Rewrite, AFusedLayerIsOneProduct) {
  Graph graph;
  const Value x = graph.input("x", {16, 8});
  const Value y = relu(linear(x, 4, "fc"));
  const Session fused(graph, {.fetches = {y}, .threads = 1});
  EXPECT_EQ(fused.plan().steps.size(), 1U);
  const Session plain(graph, {.fetches = {y}, .threads = 1, .rewrites = {.fuse = false}});
  EXPECT_GT(plain.plan().steps.size(), 1U);
}

TEST(Rewrite, FetchedIntermediatesSurvive) {
  Graph graph;
  const Value x = graph.input("x", {3, 4});
  const Value w = graph.parameter("w", {5, 4}, Initializer::uniform(-1, 1));
  const Value product = matmul(x, w, {.transpose_b = true});
  const Value shifted = product + 1.0;
  const Value y = relu(shifted);
  std::vector<float> data(12);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i) - 5.5F;

  Session session(graph, {.fetches = {product, shifted, y}, .threads = 1});
  session.run({{x, data}});
  const auto products = session.view(product).as<float>();
  for (std::size_t i = 0; i < products.size(); ++i) {
    EXPECT_EQ(session.view(shifted).as<float>()[i], products[i] + 1.0F);
    EXPECT_EQ(session.view(y).as<float>()[i], std::max(products[i] + 1.0F, 0.0F));
  }
  double expected = 0;
  const auto weights = session.view(w).as<float>();
  for (std::size_t k = 0; k < 4; ++k) expected += static_cast<double>(data[k]) * weights[k];
  EXPECT_NEAR(products[0], expected, 1e-5);
}

TEST(Rewrite, EqualNodesAreComputedOnce) {
  Graph graph;
  const Value x = graph.input("x", {4});
  const Value first = tanh(x);
  const Value second = tanh(x);
  const Value total = exp(first) * exp(second);
  const auto steps = [&](bool merge) {
    return Session(graph, {.fetches = {total},
                           .threads = 1,
                           .rewrites = {.fuse = false, .merge_equal = merge}})
        .plan()
        .steps.size();
  };
  EXPECT_EQ(steps(true) + 2, steps(false));
}

/// y = factor x. Says nothing of its factor.
class Scale : public FunctionOp {
 public:
  explicit Scale(double factor)
      : FunctionOp(each([factor](double x) { return factor * x; }), nullptr), factor_(factor) {}
  std::string_view name() const override { return "scale"; }

 protected:
  double factor_;
};

class ScaleWithAttributes final : public Scale {
 public:
  using Scale::Scale;
  std::optional<std::string> attributes() const override { return cat("factor=", factor_); }
};

template <class Op>
std::size_t steps_of_scales(double first, double second) {
  Graph graph;
  const Value x = graph.input("x", {2});
  const Value a = graph.add(std::make_shared<Op>(first), {x})[0];
  const Value b = graph.add(std::make_shared<Op>(second), {x})[0];
  const std::vector<float> data = {1, -4};
  Session session(graph, {.fetches = {a, b}, .threads = 1});
  session.run({{x, data}});
  EXPECT_EQ(session.view(a).template as<float>()[1], -4 * first);
  EXPECT_EQ(session.view(b).template as<float>()[1], -4 * second);
  return session.plan().steps.size();
}

TEST(Rewrite, AnOpThatSaysNothingOfItsAttributesIsNeverMerged) {
  EXPECT_EQ(steps_of_scales<Scale>(2, 3), 2U);
  EXPECT_EQ(steps_of_scales<Scale>(2, 2), 2U);
}

TEST(Rewrite, AnOpThatSaysItsAttributesIsMergedWhereTheyAreEqual) {
  EXPECT_EQ(steps_of_scales<ScaleWithAttributes>(2, 3), 2U);
  EXPECT_EQ(steps_of_scales<ScaleWithAttributes>(2, 2), 1U);
}

TEST(Rewrite, AttributesThatDifferInTheLastDigitAreNotMerged) {
  Graph graph;
  const Value x = graph.input("x", {2, 4}, DType::f64);
  const Value labels = graph.input("labels", {2}, DType::i64);
  const double smoothing = 0.1;
  const Value a = cross_entropy(x, labels, {.label_smoothing = smoothing});
  const Value b = cross_entropy(x, labels, {.label_smoothing = std::nextafter(smoothing, 1)});
  const Session session(graph, {.loss = a + b});
  EXPECT_EQ(std::ranges::count_if(session.plan().steps,
                                  [](const PlanStep& s) { return s.op.starts_with("cross"); }),
            2);
}

TEST(Rewrite, NodesThatDifferInAttributesAreNotMerged) {
  Graph graph;
  const Value x = graph.input("x", {3, 3});
  const Value rows = sum(x, {0});
  const Value columns = sum(x, {1});
  const std::vector<float> data = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  Session session(graph, {.fetches = {rows, columns}, .threads = 1});
  session.run({{x, data}});
  EXPECT_EQ(session.view(rows).as<float>()[0], 12.0F);
  EXPECT_EQ(session.view(columns).as<float>()[0], 6.0F);
}

TEST(Rewrite, DeadNodesAreDropped) {
  Graph graph;
  const Value x = graph.input("x", {4});
  const Value y = tanh(x);
  exp(exp(x));
  const auto steps = [&](bool drop) {
    return Session(graph, {.fetches = {y},
                           .threads = 1,
                           .rewrites = {.fuse = false, .merge_equal = false, .drop_dead = drop}})
        .plan()
        .steps.size();
  };
  EXPECT_EQ(steps(true), 1U);
  EXPECT_EQ(steps(false), 3U);
}

TEST(Rewrite, FollowsRootsAndInputsByNumber) {
  Graph graph;
  const Value dead = graph.input("dead", {2});
  const Value first = graph.input("first", {2});
  const Value second = graph.input("second", {2});
  exp(dead);
  Ends ends{.roots = {tanh(second), tanh(second) + first}, .inputs = {dead, first, second}};
  rewrite(graph, ends, {});
  EXPECT_FALSE(ends.inputs[0]);
  EXPECT_EQ(ends.inputs[1].name(), "first");
  EXPECT_EQ(ends.inputs[2].name(), "second");
  EXPECT_EQ(ends.roots[0].name(), "tanh");
  const Node& sum = graph.nodes()[static_cast<std::size_t>(ends.roots[1].node())];
  EXPECT_EQ(sum.inputs[0].node, ends.roots[0].node()) << "merged";
  EXPECT_EQ(sum.inputs[1].node, ends.inputs[1].node());
}

TEST(Rewrite, ADeadInputNeedsNoFeed) {
  Graph graph;
  const Value x = graph.input("x", {2});
  const Value dead = graph.input("dead", {2});
  const Value y = tanh(x);
  exp(dead);
  const std::vector<float> data = {1, 2};
  Session session(graph, {.fetches = {y}, .threads = 1});
  EXPECT_NO_THROW(session.run({{x, data}}));
}

}  // namespace
}  // namespace gradmill
