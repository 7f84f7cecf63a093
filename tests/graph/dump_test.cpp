#include <gradmill/runtime/plan_text.h>
#include <gtest/gtest.h>
#include "support/temp_folder.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace gradmill {
namespace {

class NamedKernel : public Kernel {
 public:
  NamedKernel(std::string description, int phases)
      : description_(std::move(description)), phases_(phases) {}
  int phases() const override { return phases_; }
  std::int64_t tiles(int) const override { return 1; }
  void run(int, std::int64_t, const KernelRun&) const override {}
  std::string description() const override { return description_; }

 private:
  std::string description_;
  int phases_;
};

PlanStep step_of(const std::string& name, const std::string& op, Phase phase, std::int64_t tiles,
                 double flops, std::vector<int> predecessors) {
  PlanStep step;
  step.name = name;
  step.op = op;
  step.phase = phase;
  step.tiles = tiles;
  step.flops = flops;
  step.bytes_moved = 64;
  step.predecessors = std::move(predecessors);
  step.shapes = "f32 [2] -> f32 [2]";
  step.kernel = std::make_shared<const NamedKernel>("loops over " + op, 1);
  return step;
}

// A diamond: forward to two backward steps, of which the update needs both.
Plan diamond() {
  Plan plan;
  plan.buffers = {{"x", {DType::f32, {2}}, 8, Place::feed},
                  {"h", {DType::f32, {2}}, 8, Place::arena, 64, nullptr, true},
                  {"w", {DType::f64, {}}, 8, Place::variable},
                  {"c", {DType::i64, {1}}, 8, Place::constant},
                  {"sums", {DType::f64, {3}}, 24, Place::arena, 128}};
  plan.arena_bytes = 128;
  plan.unshared_bytes = 512;
  plan.scratch_bytes = 32;
  plan.steps = {step_of("fc1", "matmul", Phase::forward, 4, 1000, {}),
                step_of("loss", "mean", Phase::backward, 1, 10, {0}),
                step_of("grad", "mul", Phase::backward, 2, 500, {0}),
                step_of("fc1.sgd", "sgd", Phase::update, 1, 20, {1, 2})};
  plan.steps[0].inputs = {0, 2};
  plan.steps[0].outputs = {1};
  plan.steps[1].inputs = plan.steps[1].outputs = {1};
  plan.steps[1].workspace = 4;
  plan.steps[1].fallible = true;
  return plan;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

int lines_with(const std::string& text, const std::string& part) {
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line);) count += contains(line, part) ? 1 : 0;
  return count;
}

TEST(PlanText, HasALineForEachStepInOrder) {
  const std::string text = plan_text(diamond());
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 7U) << text;
  EXPECT_EQ(lines[0],
            "step  phase     op      name     shapes              new bytes     tiles  kernel");
  EXPECT_EQ(lines[1],
            "0     forward   matmul  fc1      f32 [2] -> f32 [2]  8             4      loops over "
            "matmul");
  EXPECT_EQ(
      lines[2],
      "1     backward  mean    loss     f32 [2] -> f32 [2]  24, in place  1      loops over mean");
  EXPECT_EQ(
      lines[4],
      "3     update    sgd     fc1.sgd  f32 [2] -> f32 [2]  0             1      loops over sgd");
  EXPECT_EQ(
      lines[5],
      "memory: 128 bytes planned, 512 bytes without reuse, 32 bytes of scratch for each tile in "
      "flight");
  EXPECT_EQ(lines[6], "longest path: 3 of 4 steps, 1.52 kFLOP of 1.53 kFLOP");
}

TEST(PlanText, NamesThePhaseOfAKernelWithSeveral) {
  Plan plan = diamond();
  plan.steps[2].kernel = std::make_shared<const NamedKernel>("tree", 2);
  plan.steps[2].kernel_phase = 1;
  EXPECT_TRUE(contains(plan_text(plan), "tree (phase 2 of 2)\n"));
}

TEST(PlanJson, HoldsThePlan) {
  const auto json = nlohmann::json::parse(plan_json(diamond()));
  ASSERT_EQ(json.at("nodes").size(), 4U);
  const auto& node = json.at("nodes")[1];
  EXPECT_EQ(node.at("index"), 1);
  EXPECT_EQ(node.at("name"), "loss");
  EXPECT_EQ(node.at("op"), "mean");
  EXPECT_EQ(node.at("phase"), "backward");
  EXPECT_EQ(node.at("shapes"), "f32 [2] -> f32 [2]");
  EXPECT_EQ(node.at("tiles"), 1);
  EXPECT_EQ(node.at("kernel"), "loops over mean");
  EXPECT_EQ(node.at("kernel_phase"), 0);
  EXPECT_EQ(node.at("inputs"), std::vector<int>{1});
  EXPECT_EQ(node.at("outputs"), std::vector<int>{1});
  EXPECT_EQ(node.at("workspace"), 4);
  EXPECT_EQ(node.at("flops"), 10.0);
  EXPECT_EQ(node.at("bytes"), 64.0);
  EXPECT_EQ(node.at("predecessors"), (std::vector<int>{0}));
  EXPECT_EQ(node.at("fallible"), true);
  ASSERT_EQ(json.at("buffers").size(), 5U);
  const auto& buffer = json.at("buffers")[1];
  EXPECT_EQ(buffer.at("name"), "h");
  EXPECT_EQ(buffer.at("type"), "f32 [2]");
  EXPECT_EQ(buffer.at("bytes"), 8);
  EXPECT_EQ(buffer.at("place"), "arena");
  EXPECT_EQ(buffer.at("offset"), 64);
  EXPECT_EQ(buffer.at("keep"), true);
  EXPECT_EQ(json.at("buffers")[0].at("place"), "feed");
  EXPECT_EQ(json.at("buffers")[2].at("place"), "variable");
  EXPECT_EQ(json.at("buffers")[3].at("place"), "constant");
  EXPECT_EQ(json.at("memory").at("planned_bytes"), 128);
  EXPECT_EQ(json.at("memory").at("unshared_bytes"), 512);
  EXPECT_EQ(json.at("memory").at("scratch_bytes_per_tile"), 32);
  EXPECT_EQ(json.at("longest_path").at("steps"), 3);
  EXPECT_EQ(json.at("longest_path").at("flops"), 1520.0);
}

TEST(PlanDot, HasANodeForEachStepAndAnEdgeForEachDependency) {
  const std::string dot = plan_dot(diamond());
  EXPECT_EQ(lines_with(dot, "fillcolor=lightblue"), 1);
  EXPECT_EQ(lines_with(dot, "fillcolor=lightsalmon"), 2);
  EXPECT_EQ(lines_with(dot, "fillcolor=palegreen"), 1);
  EXPECT_EQ(lines_with(dot, " -> s"), 4);
  // By FLOPs the longest path leads by way of s2.
  for (const char* edge :
       {"s0 -> s1;", "s0 -> s2 [penwidth=3];", "s1 -> s3;", "s2 -> s3 [penwidth=3];"}) {
    EXPECT_EQ(lines_with(dot, edge), 1) << edge;
  }
  EXPECT_EQ(lines_with(dot, "penwidth=3, fontname="), 3);
}

TEST(PlanDot, ShowsWhatWasMeasured) {
  const std::string dot =
      plan_dot(diamond(), {.step_ms = {0.5, 4.25, 0, 2.125}, .critical = {0, 1, 3}});
  EXPECT_EQ(lines_with(dot, "fillcolor=light"), 0);
  EXPECT_EQ(lines_with(dot, "fillcolor=\"0.02 0.750 1.0\""), 1);  // s1, the longest
  EXPECT_EQ(lines_with(dot, "fillcolor=\"0.02 0.375 1.0\""), 1);  // s3, half of it
  EXPECT_EQ(lines_with(dot, "fillcolor=\"0.02 0.000 1.0\""), 1);
  EXPECT_EQ(lines_with(dot, "4.25 ms"), 1);
  EXPECT_EQ(lines_with(dot, "s0 -> s1 [penwidth=3];"), 1);
  EXPECT_EQ(lines_with(dot, "s0 -> s2;"), 1);
  EXPECT_EQ(lines_with(dot, "s1 -> s3 [penwidth=3];"), 1);
}

TEST(PlanDot, RefusesAPictureOfAnotherPlan) {
  EXPECT_THROW(plan_dot(diamond(), {.step_ms = {1, 2}}), Error);
  EXPECT_THROW(plan_dot(diamond(), {.critical = {0, 4}}), Error);
}

// Quotes, a backslash, a line break, a control character, and a byte that is no UTF-8.
const char* const kNasty =
    "a\"b\\c\nd\x01"
    "e\xff]; s0 -> s0";

Plan nasty() {
  Plan plan = diamond();
  plan.steps[0].name = plan.steps[0].op = plan.steps[0].shapes = plan.buffers[0].name = kNasty;
  plan.steps[0].kernel = std::make_shared<const NamedKernel>(kNasty, 1);
  return plan;
}

TEST(PlanDumps, EscapeNames) {
  const auto json = nlohmann::json::parse(plan_json(nasty()));
  EXPECT_EQ(json.at("nodes")[0].at("name"),
            "a\"b\\c\nd\x01"
            "e\xef\xbf\xbd]; s0 -> s0");

  const std::string dot = plan_dot(nasty());
  EXPECT_TRUE(contains(dot, "a\\\"b\\\\c\\nd e\xef\xbf\xbd]; s0 -> s0"));
  EXPECT_EQ(lines_with(dot, "  s"), 8) << "four nodes and four edges, one per line";

  const std::string text = plan_text(nasty());
  EXPECT_TRUE(contains(text, "a\"b\\c\\nd e\xef\xbf\xbd]"));
  EXPECT_EQ(lines_with(text, ""), 7);
}

TEST(PlanDumps, TakeAnEmptyPlan) {
  EXPECT_TRUE(contains(plan_text({}), "longest path: 0 of 0 steps, 0 FLOP of 0 FLOP"));
  EXPECT_TRUE(contains(plan_dot({}), "digraph plan {"));
  EXPECT_EQ(nlohmann::json::parse(plan_json({})).at("longest_path").at("steps"), 0);
}

TEST(PlanDot, RendersWithGraphviz) {
  if (std::system("dot -V >/dev/null 2>&1") != 0) GTEST_SKIP() << "Graphviz is not installed";
  const TempFolder folder;
  for (const Plan& plan : {diamond(), nasty(), Plan()}) {
    write_text(folder / "plan.dot", plan_dot(plan));
    const std::string command = "dot -Tsvg '" + folder / "plan.dot" + "' -o '" +
                                folder / "plan.svg" + "' 2> '" + folder / "errors" + "'";
    EXPECT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(read_text(folder / "errors"), "");
    EXPECT_TRUE(contains(read_text(folder / "plan.svg"), "</svg>"));
  }
}

}  // namespace
}  // namespace gradmill
