// What cross-entropy takes in memory and passes, as the plan shows it.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace gradmill {
namespace {

constexpr std::int64_t kRows = 4000;
constexpr std::int64_t kClasses = 50;

// A loss over logits that live in the arena.
struct Model {
  Graph graph;
  Value x = graph.input("x", {kRows, kClasses});
  Value labels = graph.input("labels", {kRows}, DType::i64);
  Value w = graph.parameter("w", {kClasses}, Initializer::constant(1));
  Value logits = x * w;
};

const PlanStep& step_of(const Plan& plan, const std::string& op) {
  const auto step = std::ranges::find(plan.steps, op, &PlanStep::op);
  EXPECT_NE(step, plan.steps.end()) << op;
  return *step;
}

std::size_t bytes_of(const Plan& plan, int buffer) {
  return plan.buffers[static_cast<std::size_t>(buffer)].bytes;
}

TEST(CrossEntropyPlan, TrainingWritesTheGradientOverTheLogits) {
  for (const bool everything : {false, true}) {
    Model model;
    CrossEntropyOptions options;
    if (everything) {
      options = {.weight = model.graph.constant(2.0, {kClasses}),
                 .ignore_index = 3,
                 .label_smoothing = 0.1};
    }
    const Value loss = cross_entropy(model.logits, model.labels, options, "loss");
    const Session session(model.graph, {.loss = loss, .optimizer = SGD{}});
    const Plan& plan = session.plan();
    const PlanStep& step = step_of(plan, "cross_entropy");
    EXPECT_EQ(step.outputs[1], step.inputs[0]) << "in place";
    const std::size_t own = bytes_of(plan, step.outputs[0]) + bytes_of(plan, step.workspace);
    EXPECT_LE(own, kRows * sizeof(float)) << "at most a number per row";
    for (const PlanStep& other : plan.steps) {
      EXPECT_TRUE(other.op != "cross_entropy" || other.outputs.size() == 2U);
      EXPECT_NE(other.op, "cross_entropy_backward");
      EXPECT_NE(other.op, "softmax");
    }
  }
}

TEST(CrossEntropyPlan, OneNumberARowIsKeptForABackwardPassOfItsOwn) {
  Model model;
  const Value loss = cross_entropy(model.logits, model.labels, {}, "loss");
  const Value gradient = gradients({loss * loss}, {model.w})[0];  // the upstream is the loss's
  const Session session(model.graph, {.fetches = {loss, gradient}});
  const Plan& plan = session.plan();
  const PlanStep& forward = step_of(plan, "cross_entropy");
  const PlanStep& backward = step_of(plan, "cross_entropy_backward");
  EXPECT_EQ(backward.outputs[0], backward.inputs[0]) << "in place";
  ASSERT_EQ(forward.outputs.size(), 2U);
  EXPECT_EQ(bytes_of(plan, forward.outputs[0]), sizeof(float));
  EXPECT_EQ(bytes_of(plan, forward.outputs[1]), kRows * sizeof(float));
  // The logits, the gradient and its product with x over them, and a number per row: nothing else.
  std::size_t large = 0;
  for (const PlanBuffer& buffer : plan.buffers) {
    if (buffer.place == Place::arena && buffer.bytes >= kRows * sizeof(float)) {
      large += buffer.bytes;
    }
  }
  EXPECT_EQ(large, (kRows * kClasses + kRows) * sizeof(float));
}

// What the scheduler shares among threads is decided by the cost of each phase.
TEST(CrossEntropyPlan, TheCostIsThatOfTheRowsNotOfTheLabels) {
  Model model;
  const Value loss = cross_entropy(model.logits, model.labels, {}, "loss");
  const Session session(model.graph, {.loss = loss});
  std::int64_t main_tiles = 0;
  for (const PlanStep& step : session.plan().steps) {
    if (step.op != "cross_entropy") continue;
    if (step.flops > 0) main_tiles = step.tiles;
    EXPECT_TRUE(step.flops > 0 || step.tiles == 1);
  }
  EXPECT_GT(main_tiles, 1);
}

TEST(CrossEntropyPlan, ProbabilitiesDelayNoUpdate) {
  Model model;
  const Value targets = model.graph.input("targets", {kRows, kClasses});
  const Value loss = cross_entropy(model.logits, targets, {}, "loss");
  const Session session(model.graph, {.loss = loss, .optimizer = SGD{}});
  EXPECT_FALSE(step_of(session.plan(), "cross_entropy").fallible);
}

TEST(CrossEntropyPlan, LogitsWithAnotherReaderStay) {
  Model model;
  const Value loss = cross_entropy(model.logits, model.labels) + mean(model.logits);
  const Session session(model.graph, {.loss = loss, .optimizer = SGD{}, .fetches = {model.logits}});
  const PlanStep& step = step_of(session.plan(), "cross_entropy");
  EXPECT_NE(step.outputs[1], step.inputs[0]);
}

}  // namespace
}  // namespace gradmill
