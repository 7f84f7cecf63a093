// What gradcheck refuses, and that the graph is as it was then.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "programs.h"

namespace gradmill {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Takes f32 only, or gives f32 whatever it takes.
class NarrowOp : public Op {
 public:
  explicit NarrowOp(bool refuses) : refuses_(refuses) {}
  std::string_view name() const override { return "narrow"; }
  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check(!refuses_ || inputs[0].dtype == DType::f32, "takes f32, got ", inputs[0]);
    return {{DType::f32, inputs[0].shape}};
  }
  std::unique_ptr<Kernel> prepare(const PrepareContext&) const override { return nullptr; }

 private:
  bool refuses_;
};

class GradcheckRefuses : public testing::Test {
 protected:
  std::string refused(Value value, const GradcheckOptions& options = {},
                      const std::vector<Feed>& feeds = {}) {
    const std::size_t nodes = graph.nodes().size();
    std::string message =
        refusal_of([&] { gradcheck(graph, value, std::span<const Feed>(feeds), options); });
    EXPECT_EQ(graph.nodes().size(), nodes);
    EXPECT_TRUE(mentions(message, {"gradcheck: "}));
    return message;
  }

  Graph graph;
  Value x = graph.input("x", {2, 3});
  Value y = x * x;
};

TEST_F(GradcheckRefuses, AnOpThatRefusesF64) {
  const Value z = graph.add(std::make_shared<NarrowOp>(true), {y}, "odd")[0];
  EXPECT_TRUE(mentions(refused(z), {"f64", "narrow 'odd'", "takes f32, got f64 [2, 3]"}));
  EXPECT_TRUE(gradcheck(graph, y).ok()) << "it is no ancestor of this";
}

TEST_F(GradcheckRefuses, AnOpThatGivesF32ForF64) {
  const Value z = graph.add(std::make_shared<NarrowOp>(false), {y}, "odd")[0];
  EXPECT_TRUE(mentions(refused(z), {"narrow 'odd'", "f64", "f32 [2, 3]"}));
}

TEST_F(GradcheckRefuses, AnOpWithoutGradient) {
  const Value labels = graph.input("labels", {2}, DType::i64);
  const std::vector<std::int64_t> ids = {0, 1};
  const Value right = accuracy(y, labels, "right");
  EXPECT_TRUE(mentions(refused(right, {}, {{labels, ids}}), {"accuracy 'right'", "gradient"}));
}

TEST_F(GradcheckRefuses, Values) {
  Graph other;
  const Value labels = graph.input("labels", {2}, DType::i64);
  EXPECT_TRUE(mentions(refused({}), {"the value is a null value"}));
  EXPECT_TRUE(mentions(refused(other.input("x", {1})), {"the value", "another graph"}));
  EXPECT_TRUE(mentions(refused(labels), {"'labels' is i64 [2]"}));
  EXPECT_TRUE(mentions(refused(graph.constant(1.0)), {"depends on no parameter"}));
}

TEST_F(GradcheckRefuses, Wrt) {
  Graph other;
  const Value labels = graph.input("labels", {2}, DType::i64);
  EXPECT_TRUE(mentions(refused(y, {.wrt = {x, {}}}), {"wrt", "null"}));
  EXPECT_TRUE(mentions(refused(y, {.wrt = {other.input("x", {1})}}), {"wrt", "another graph"}));
  EXPECT_TRUE(mentions(refused(y, {.wrt = {labels}}), {"wrt", "'labels' is i64"}));
  EXPECT_TRUE(mentions(refused(y, {.wrt = {y}}), {"neither a parameter nor an input"}));
}

TEST_F(GradcheckRefuses, Options) {
  for (const double eps : {0.0, -1e-6, 1e-12, 1.0, kNan}) {
    EXPECT_TRUE(mentions(refused(y, {.eps = eps}), {"eps", cat(eps)}));
  }
  for (const double bad : {-1e-9, kNan, HUGE_VAL}) {
    EXPECT_TRUE(mentions(refused(y, {.atol = bad}), {"atol", cat(bad)}));
    EXPECT_TRUE(mentions(refused(y, {.rtol = bad}), {"rtol", cat(bad)}));
  }
  for (const double rtol : {1.0, 2.0, 1e300}) {
    EXPECT_TRUE(mentions(refused(y, {.rtol = rtol}), {"rtol must be in [0, 1)", cat(rtol)}));
  }
  EXPECT_TRUE(mentions(refused(y, {.max_elements = -1}), {"max_elements", "-1"}));
  EXPECT_TRUE(mentions(refused(y, {.samples = 0}), {"samples", "0"}));
  EXPECT_TRUE(mentions(refused(y, {.threads = -1}), {"threads", "-1"}));
}

TEST_F(GradcheckRefuses, Feeds) {
  Graph other;
  const std::vector<float> six(6);
  const std::vector<double> doubles(6);
  const std::vector<float> five(5);
  const Value labels = graph.input("labels", {2}, DType::i64);
  EXPECT_TRUE(mentions(refused(cross_entropy(y, labels)), {"'labels' i64 [2]", "not fed"}));
  EXPECT_TRUE(mentions(refused(y, {}, {{x, five}}), {"'x'", "6 elements", "5"}));
  EXPECT_TRUE(mentions(refused(y, {}, {{x, doubles}}), {"'x' is f32", "fed f64"}));
  EXPECT_TRUE(mentions(refused(y, {}, {{x, six}, {x, six}}), {"'x'", "twice"}));
  EXPECT_TRUE(mentions(refused(y, {}, {{y, six}}), {"no input"}));
  EXPECT_TRUE(mentions(refused(y, {}, {{Value(), six}}), {"null"}));
  EXPECT_TRUE(mentions(refused(y, {}, {{other.input("x", {6}), six}}), {"another graph"}));
  EXPECT_TRUE(
      mentions(refused(y, {}, {{x, static_cast<const float*>(nullptr)}}), {"null pointer"}));
}

TEST_F(GradcheckRefuses, LabelsOutOfRange) {
  const Value labels = graph.input("labels", {2}, DType::i64);
  const std::vector<std::int64_t> ids = {0, 7};
  EXPECT_TRUE(mentions(refused(cross_entropy(y, labels), {}, {{labels, ids}}), {"7"}));
}

TEST_F(GradcheckRefuses, ParametersThatDoNotFit) {
  Graph other;
  other.parameter("w", {3}, Initializer::zeros());
  const auto parameters = std::make_shared<Parameters>(other);
  const Value missing = sum(y) * graph.parameter("v", {2}, Initializer::zeros());
  EXPECT_TRUE(mentions(refused(missing, {.parameters = parameters}), {"'v' f32 [2]", "given"}));
  const Value other_shape = sum(y) * graph.parameter("w", {2}, Initializer::zeros());
  EXPECT_TRUE(
      mentions(refused(other_shape, {.parameters = parameters}), {"'w' is f32 [3]", "f32 [2]"}));
}

}  // namespace
}  // namespace gradmill
