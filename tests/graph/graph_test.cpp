#include <gradmill/gradmill.h>
#include <gradmill/graph/graph.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <memory>
#include <vector>

#include "programs.h"

namespace gradmill {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max() / 4;

/// Runs `work`, which must be refused, and checks that the graph has no node more or less.
std::string refused(const Graph& graph, const std::function<void()>& work) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  const std::string message = refusal_of(work);
  EXPECT_EQ(graph.nodes().size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(graph.nodes()[i].name, names[i]);
  return message;
}

TEST(Graph, InfersShapesAndTypesAsNodesAreAdded) {
  Graph graph;
  const Value x = graph.input("x", {32, 784});
  const Value y = relu(linear(x, 10, "fc"));
  EXPECT_EQ(y.shape(), Shape({32, 10}));
  EXPECT_EQ(y.dtype(), DType::f32);
  EXPECT_EQ(graph.find("fc.weight").shape(), Shape({10, 784}));
  EXPECT_EQ(graph.find("fc.bias").shape(), Shape({10}));
  EXPECT_EQ(graph.find("x"), x);
  EXPECT_FALSE(graph.find("z"));
}

TEST(Graph, GivesDefaultNamesThatAreUnique) {
  Graph graph;
  const Value x = graph.input("x", {4});
  EXPECT_NE(relu(x).name(), relu(x).name());
  EXPECT_EQ(relu(x, "mine").name(), "mine");
}

TEST(Graph, TypesAndNamesStayGoodWhileTheGraphGrows) {
  Graph graph;
  const Value x = graph.input("x", {2, 3});
  const Type& type = x.type();
  const std::string& name = x.name();
  Value last = x;
  for (int i = 0; i < 1000; ++i) last = relu(last);
  EXPECT_EQ(&type, &x.type());
  EXPECT_EQ(&name, &x.name());
}

TEST(Graph, RefusesEmptyAndTakenNames) {
  Graph graph;
  graph.input("x", {2});
  graph.parameter("w", {2}, Initializer::zeros());
  EXPECT_TRUE(mentions(refused(graph, [&] { graph.input("", {2}); }), {"name"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { graph.input("x", {3}); }), {"'x'", "taken"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { graph.input("w", {3}); }), {"'w'", "taken"}));
  const auto parameter = [&](const std::string& name) {
    return refused(graph, [&] { graph.parameter(name, {2}, Initializer::zeros()); });
  };
  EXPECT_TRUE(mentions(parameter(""), {"name"}));
  EXPECT_TRUE(mentions(parameter("w"), {"'w'", "taken"}));
  EXPECT_TRUE(mentions(parameter("x"), {"'x'", "taken"}));
}

TEST(Graph, RefusesALayerWhoseParametersExist) {
  Graph graph;
  const Value x = graph.input("x", {2, 3});
  linear(x, 4, "fc");
  EXPECT_TRUE(mentions(refused(graph, [&] { linear(x, 4, "fc"); }), {"fc"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { linear(x, 4, ""); }), {"name"}));
}

TEST(Graph, RefusesALayerWhoseBiasNameIsTakenBeforeItDeclaresTheWeight) {
  Graph graph;
  const Value x = graph.input("x", {2, 3});
  graph.input("fc.bias", {4});
  EXPECT_TRUE(mentions(refused(graph, [&] { linear(x, 4, "fc"); }), {"fc.bias"}));
}

TEST(Graph, RefusesSizesBelowOneAndProductsThatOverflow) {
  Graph graph;
  EXPECT_TRUE(mentions(refused(graph,
                               [&] {
                                 graph.input("x", {2, 0});
                               }),
                       {"[2, 0]", "at least 1"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { graph.input("x", {-3}); }), {"-3"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { graph.input("x", {kHuge, 8}); }), {"8"}));
  EXPECT_TRUE(mentions(refused(graph,
                               [&] {
                                 graph.parameter("w", {kHuge, kHuge}, Initializer::zeros());
                               }),
                       {std::to_string(kHuge)}));
  refused(graph, [&] { graph.constant(1.0, {0}); });
  const Value x = graph.input("x", {2, 3});
  refused(graph, [&] { linear(x, 0, "fc"); });
  refused(graph, [&] { linear(x, -1, "fc"); });
  refused(graph, [&] { linear(x, kHuge, "fc"); });
}

TEST(Graph, RefusesDtypesThatDoNotFit) {
  Graph graph;
  const auto integers = [&] { graph.parameter("w", {2}, Initializer::zeros(), DType::i64); };
  EXPECT_TRUE(mentions(refused(graph, integers), {"'w'", "i64"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { graph.constant(0.5, {}, DType::i64); }), {"0.5"}));

  const Value single = graph.input("single", {2, 2});
  const Value twice = graph.input("twice", {2, 2}, DType::f64);
  const Value whole = graph.input("whole", {2, 2}, DType::i64);
  EXPECT_TRUE(
      mentions(refused(graph, [&] { add(single, twice, "sum"); }), {"add", "'sum'", "f32", "f64"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { matmul(single, twice); }), {"matmul", "f32", "f64"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { relu(whole); }), {"relu", "i64"}));
  refused(graph, [&] { linear(whole, 2, "fc"); });
}

TEST(Graph, NamesBothShapesOfAMismatch) {
  Graph graph;
  const Value a = graph.input("a", {32, 128});
  const Value b = graph.input("b", {64, 10});
  EXPECT_TRUE(mentions(refused(graph, [&] { matmul(a, b, {}, "fc1"); }),
                       {"matmul", "'fc1'", "[32, 128]", "[64, 10]"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { add(a, b); }), {"add", "[32, 128]", "[64, 10]"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { softmax(a, 2); }), {"softmax", "2", "[32, 128]"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { sum(a, {-3}); }), {"sum", "-3"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { reshape(a, {5, -1}); }), {"reshape", "[32, 128]"}));
}

TEST(Graph, RefusesNullValuesAndThoseOfAnotherGraph) {
  Graph graph;
  Graph other;
  const Value x = graph.input("x", {2});
  const Value stranger = other.input("x", {2});
  EXPECT_TRUE(mentions(refused(graph, [&] { add(x, stranger); }), {"another graph"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { relu(Value()); }), {"null"}));
  EXPECT_TRUE(mentions(refused(graph, [&] { add(x, Value()); }), {"null"}));
  EXPECT_EQ(other.nodes().size(), 1U);
}

/// Accepts anything and gives back its first input's type.
class AnyOp : public Op {
 public:
  std::string_view name() const override { return "any"; }
  std::vector<Type> infer(std::span<const Type> inputs) const override {
    return {inputs.empty() ? Type{} : inputs[0]};
  }
  std::unique_ptr<Kernel> prepare(const PrepareContext&) const override { return nullptr; }
};

TEST(Graph, ACycleCannotBeDescribed) {
  Graph graph;
  const Value x = graph.input("x", {2});
  // The number that the next node will get: the only way to speak of a node that is not there yet.
  const auto ahead = static_cast<int>(graph.nodes().size());
  const auto op = std::make_shared<AnyOp>();
  for (const int node : {ahead, ahead + 1, -1, std::numeric_limits<int>::max()}) {
    refused(graph, [&] { graph.add(op, {x, Value(&graph, node, 0)}); });
  }
  for (const int output : {1, -1}) {
    refused(graph, [&] { graph.add(op, {Value(&graph, x.node(), output)}); });
  }
  refused(graph, [&] { graph.add(nullptr, {x}); });
  EXPECT_EQ(graph.add(op, {x})[0].type(), x.type());
}

/// Says of itself what cannot be.
class LyingOp : public AnyOp {
 public:
  LyingOp(int aliased, std::vector<int> mutated)
      : aliased_(aliased), mutated_(std::move(mutated)) {}
  std::vector<Type> infer(std::span<const Type>) const override { return {{DType::f32, {16}}}; }
  int aliases() const override { return aliased_; }
  std::span<const int> mutates() const override { return mutated_; }

 private:
  int aliased_;
  std::vector<int> mutated_;
};

TEST(Graph, RefusesAnOpThatNamesInputsOrBytesItHasNot) {
  Graph graph;
  const Value x = graph.input("x", {4});
  for (const int index : {-1, 1, 7}) {
    EXPECT_TRUE(mentions(
        refused(graph, [&] { graph.add(std::make_shared<LyingOp>(-1, std::vector{index}), {x}); }),
        {"any", "mutates"}));
  }
  for (const int index : {0, 1}) {
    EXPECT_TRUE(mentions(
        refused(graph,
                [&] { graph.add(std::make_shared<LyingOp>(index, std::vector<int>{}), {x}); }),
        {"any", "aliases"}));
  }
}

TEST(Graph, ConstantsAreCopiedAndCounted) {
  Graph graph;
  std::array<float, 4> values = {1, 2, 3, 4};
  const Value constant = graph.constant(std::span<const float>(values), {2, 2});
  values.fill(0);
  const auto message =
      refused(graph, [&] { graph.constant(std::span<const float>(values), Shape{3}); });
  EXPECT_TRUE(mentions(message, {"[3]", "3", "4"}));
  Session session(graph, {.fetches = {constant}});
  session.run();
  EXPECT_EQ(session.view(constant).as<float>()[3], 4.0F);
}

TEST(Graph, GrowsAfterARefusalAsIfNothingHadHappened) {
  const auto build = [](bool refuse) {
    Graph graph;
    const Value x = graph.input("x", {2, 3});
    if (refuse) {
      refusal_of([&] { matmul(x, x); });
      refusal_of([&] { graph.input("x", {2}); });
      refusal_of([&] { graph.constant(0.5, {}, DType::i64); });
      refusal_of([&] { linear(x, 0, "fc"); });
    }
    linear(x, 4, "fc");
    matmul(x, x, {.transpose_b = true});
    graph.constant(1.0);
    std::vector<std::string> names;
    for (const Node& node : graph.nodes()) names.push_back(node.name);
    return names;
  };
  EXPECT_EQ(build(true), build(false));
}

}  // namespace
}  // namespace gradmill
