// What gradcheck finds right and what it finds wrong, element by element.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "function_op.h"
#include "programs.h"

namespace gradmill {
namespace {

Value square(Value x, FunctionOp::Gradient gradient) {
  return function(x, each([](double v) { return v * v; }), std::move(gradient));
}

Value right_gradient(const GradientContext& context) {
  return context.upstream[0] * (2.0 * context.inputs[0]);
}

/// A constant that is `value` at one element and 1 elsewhere.
Value ones_but(Graph& graph, const Type& type, std::size_t at, double value) {
  std::vector<double> mask(static_cast<std::size_t>(type.shape.elements()), 1.0);
  mask[at] = value;
  if (type.dtype == DType::f64) return graph.constant(std::span<const double>(mask), type.shape);
  const std::vector<float> narrow(mask.begin(), mask.end());
  return graph.constant(std::span<const float>(narrow), type.shape);
}

TEST(Gradcheck, FindsKnownGradientsRight) {
  Graph graph;
  const Value x = graph.input("x", {3, 4}, DType::f64);
  const Value w = graph.parameter("w", {2, 4}, Initializer::normal(), DType::f64);
  const Value y = tanh(matmul(x, w, {.transpose_b = true}));
  const GradcheckReport report = gradcheck(graph, y);
  EXPECT_TRUE(report.ok()) << report.message();
  ASSERT_EQ(report.tensors.size(), 2U);
  EXPECT_EQ(report.tensors[0].name, "x");
  EXPECT_EQ(report.tensors[0].checked, 12);
  EXPECT_EQ(report.tensors[1].name, "w");
  EXPECT_EQ(report.tensors[1].checked, 8);
  for (const GradcheckTensor& tensor : report.tensors) {
    EXPECT_EQ(tensor.kinks, 0);
    EXPECT_FALSE(tensor.direction);
    ASSERT_TRUE(tensor.worst);
    EXPECT_LE(tensor.worst->slope.error, tensor.worst->slope.tolerance);
  }
  EXPECT_TRUE(mentions(report.message(), {"fine", "all 20 elements", "seed 0"}));
  EXPECT_EQ(graph.nodes().size(), 4U) << "the graph was changed";
}

TEST(Gradcheck, ReportsTheNumbersThatItCompared) {
  Graph graph;
  const Value x = graph.input("x", {}, DType::f64);
  const GradcheckReport report =
      gradcheck(graph, square(x, right_gradient), {{x, std::vector{3.0}}});
  ASSERT_TRUE(report.ok()) << report.message();
  EXPECT_EQ(report.tensors[0].worst->slope.analytic, 6);
  EXPECT_NEAR(report.tensors[0].worst->slope.numeric, 6, 1e-8);
  EXPECT_EQ(report.tensors[0].worst->index.size(), 0U);
}

TEST(Gradcheck, ChecksAnF32GraphInF64AtItsOwnParameters) {
  const auto program = mlp(DType::f32, 5, {4, 6, 3}, [](Value v) { return tanh(v); });
  const std::size_t nodes = program->graph.nodes().size();
  const GradcheckReport report =
      gradcheck(program->graph, program->loss, program->feeds, {.seed = 3});
  EXPECT_TRUE(report.ok()) << report.message();
  EXPECT_EQ(program->graph.nodes().size(), nodes);
  EXPECT_EQ(report.tensors.back().type.dtype, DType::f32);

  // The slopes are those at the values that a session draws, to what f32 holds of them.
  Session session(program->graph,
                  {.loss = program->loss, .gradients = program->parameters, .seed = 3});
  session.run(program->feeds);
  for (const GradcheckTensor& tensor : report.tensors) {
    const Value parameter = program->graph.find(tensor.name);
    if (std::ranges::find(program->parameters, parameter) == program->parameters.end()) continue;
    const auto gradient = session.view_gradient(parameter).as<float>();
    EXPECT_NEAR(tensor.worst->slope.numeric,
                gradient[static_cast<std::size_t>(tensor.worst->element)], 1e-6)
        << tensor.name;
  }
}

TEST(Gradcheck, ChecksAtTheParametersGiven) {
  Graph graph;
  const Value w = graph.parameter("w", {2}, Initializer::zeros());
  const auto parameters = std::make_shared<Parameters>(graph);
  const std::vector<float> values = {2.0F, 2.0F};
  parameters->assign<float>("w", values);
  const GradcheckReport report = gradcheck(graph, sum(w * w * w), {}, {.parameters = parameters});
  ASSERT_TRUE(report.ok()) << report.message();
  EXPECT_NEAR(report.tensors[0].worst->slope.analytic, 12, 1e-9);
  EXPECT_EQ(parameters->view("w").as<float>()[0], 2.0F);
}

struct Wrong {
  const char* what;
  FunctionOp::Gradient gradient;
};

TEST(Gradcheck, FindsAForgottenUpstreamOfASingleElement) {
  const auto forgets = [](const GradientContext& c) { return 2.0 * c.inputs[0]; };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{1, 1}}) {
    Graph graph;
    const Value x = graph.input("x", shape);
    const GradcheckReport report = gradcheck(graph, square(x, forgets));
    EXPECT_FALSE(report.ok());
    const GradcheckSlope& slope = report.tensors[0].worst->slope;
    EXPECT_NEAR(slope.analytic, slope.numeric / 2, 1e-6) << "half of the gradient of the value";
    EXPECT_TRUE(gradcheck(graph, square(x, right_gradient)).ok());
  }
  // In front of a sum it gets the sum's upstream.
  Graph graph;
  EXPECT_FALSE(gradcheck(graph, sum(square(graph.input("x", {3}), forgets))).ok());
}

class GradcheckFinds : public testing::TestWithParam<Wrong> {};

TEST_P(GradcheckFinds, Wrong) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph graph;
    const Value x = graph.input("x", {2, 2}, dtype);
    const Value y = square(x, GetParam().gradient);
    const std::vector<float> f32 = {1.0F, 2.0F, -3.0F, 4.0F};
    const std::vector<double> f64(f32.begin(), f32.end());
    const Feed feed = dtype == DType::f32 ? Feed(x, f32) : Feed(x, f64);
    const GradcheckReport report = gradcheck(graph, y, {feed});
    EXPECT_FALSE(report.ok());
    EXPECT_EQ(report.tensors[0].worst->slope.verdict, GradcheckVerdict::wrong);
    EXPECT_TRUE(mentions(report.message(),
                         {"'x'", to_string(dtype), "[2, 2] at [", "wrong gradient", "analytic",
                          "numeric", "error", "tolerance", "seed 0", "all 4 elements"}));
    EXPECT_TRUE(mentions(report.table(), {"WRONG", "x ", "seed 0"}));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Gradients, GradcheckFinds,
    testing::Values(
        Wrong{"Sign", [](const GradientContext& c) { return -right_gradient(c); }},
        Wrong{"Factor", [](const GradientContext& c) { return 0.5 * right_gradient(c); }},
        Wrong{"SmallFactor", [](const GradientContext& c) { return 1.00001 * right_gradient(c); }},
        Wrong{"Offset", [](const GradientContext& c) { return right_gradient(c) + 1e-4; }},
        Wrong{"NoUpstream", [](const GradientContext& c) { return 2.0 * c.inputs[0]; }},
        Wrong{"SwappedAxes",
              [](const GradientContext& c) { return transpose(right_gradient(c), 0, 1); }},
        Wrong{"Nothing", [](const GradientContext&) { return Value(); }}),
    [](const auto& test) { return test.param.what; });

TEST(Gradcheck, NamesTheOneElementThatIsWrong) {
  for (std::size_t at = 0; at < 6; ++at) {
    Graph graph;
    const Value x = graph.input("x", {2, 3});
    const Value y = square(x, [&](const GradientContext& c) {
      return right_gradient(c) * ones_but(c.inputs[0].graph(), c.inputs[0].type(), at, 1.5);
    });
    const GradcheckReport report = gradcheck(graph, y);
    EXPECT_FALSE(report.ok());
    EXPECT_EQ(report.tensors[0].worst->element, static_cast<std::int64_t>(at));
    EXPECT_TRUE(mentions(report.message(), {cat("at [", at / 3, ", ", at % 3, "]")}));
  }
}

TEST(Gradcheck, FindsAGradientThatForgetsToSumOverABroadcastAxis) {
  Graph graph;
  const Value x = graph.input("x", {3});
  function(
      x, each([](double v) { return v; }),
      [](const GradientContext& c) {
        return c.upstream[0].graph().constant(1.0, {2, 3}, c.upstream[0].dtype());
      },
      "narrow");
  const Value y = Value(&graph, 1, 0);
  EXPECT_TRUE(mentions(refusal_of([&] { gradcheck(graph, y); }),
                       {"gradcheck: ", "'narrow'", "f64 [2, 3]", "f64 [3]"}));
}

TEST(Gradcheck, ComparesTheTensorThatIsWrongOnly) {
  Graph graph;
  const Value a = graph.input("a", {2});
  const Value b = graph.input("b", {2});
  const Value y = square(a, right_gradient) +
                  square(b, [](const GradientContext& c) { return 3.0 * right_gradient(c); });
  const GradcheckReport report = gradcheck(graph, y);
  EXPECT_TRUE(report.tensors[0].ok());
  EXPECT_FALSE(report.tensors[1].ok());
  EXPECT_TRUE(mentions(report.message(), {"'b' f32 [2] at"}));
}

TEST(Gradcheck, OutputsDoNotHideEachOther) {
  // Each row of the Jacobian is wrong by as much as the next is the other way.
  Graph graph;
  const Value x = graph.input("x", {1});
  const Value wide = reshape(x, {1}) + graph.constant(0.0, {2});
  const Value y = function(wide, each([](double v) { return v; }), [&](const GradientContext& c) {
    const std::vector<double> factors = {1.5, 0.5};
    return c.upstream[0] * c.upstream[0].graph().constant(std::span<const double>(factors), {2});
  });
  EXPECT_FALSE(gradcheck(graph, y).ok());
}

}  // namespace
}  // namespace gradmill
