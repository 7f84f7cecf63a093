#include <gradmill/gradmill.h>
#include <gradmill/graph/passes/recompute.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "programs.h"

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

/// A random program with its gradients; the roots are the loss, the fetches and the gradients.
struct Differentiated {
  explicit Differentiated(std::uint64_t seed) : program(random_program(DType::f32, seed, 15)) {
    roots = {program->loss};
    roots.insert(roots.end(), program->fetches.begin(), program->fetches.end());
    const auto all = gradients(program->loss, std::span<const Value>(program->parameters));
    roots.insert(roots.end(), all.begin(), all.end());
    // Names of their own, to tell nodes apart by.
    Nodes named = program->graph.release();
    for (std::size_t i = 0; i < named.size(); ++i) {
      if (named[i].kind == NodeKind::op) named[i].name += cat('#', i);
    }
    program->graph.reset(std::move(named));
  }
  const Nodes& nodes() const { return program->graph.nodes(); }

  std::unique_ptr<Program> program;
  std::vector<Value> roots;
};

/// About every other of the nodes that can be computed again.
std::vector<bool> some(const Graph& graph, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<bool> chosen = recomputable(graph);
  for (auto&& node : chosen) node = node && random() % 2 == 0;
  return chosen;
}

struct Recomputed {
  Recomputed(const Differentiated& source, const std::vector<bool>& again)
      : ends{.roots = source.roots} {
    graph.reset(source.nodes());
    for (int i = 0; i < static_cast<int>(source.nodes().size()); ++i) {
      if (source.nodes()[at(i)].kind == NodeKind::input) ends.inputs.emplace_back(&graph, i, 0);
    }
    ends.inputs.emplace_back();  // one that was dropped
    origins = recompute(graph, ends, again);
  }
  Graph graph;
  Ends ends;
  std::vector<int> origins;
};

bool is_copy(const Node& node) { return node.name.ends_with(".again"); }

bool is_late(const Node& node) {
  return node.kind == NodeKind::op && (node.phase != Phase::forward || node.updates);
}

TEST(Recomputable, AreForwardOpsWithBytesOfTheirOwnThatCannotFail) {
  Graph graph;
  const Value x = graph.parameter("x", {4, 6}, Initializer::normal());
  const Value labels = graph.input("labels", {4}, DType::i64);
  const Value y = tanh(x);
  const Value other = reshape(y, {6, 4});
  const Value loss = cross_entropy(transpose(other, 0, 1), labels);
  gradients(loss, {x});
  const std::vector<bool> possible = recomputable(graph);
  ASSERT_EQ(possible.size(), graph.nodes().size());
  EXPECT_FALSE(possible[at(x.node())]) << "a parameter";
  EXPECT_FALSE(possible[at(labels.node())]) << "an input";
  EXPECT_TRUE(possible[at(y.node())]);
  EXPECT_FALSE(possible[at(other.node())]) << "another name for the same bytes";
  EXPECT_FALSE(possible[at(loss.node())]) << "may fail";
  for (std::size_t i = 0; i < possible.size(); ++i) {
    if (possible[i]) {
      EXPECT_EQ(graph.nodes()[i].phase, Phase::forward);
    }
  }
}

TEST(Recompute, KeepsNodesAndPutsCopiesBeforeTheirFirstReader) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    const Differentiated source(seed);
    const std::vector<bool> again = some(source.program->graph, seed);
    const Recomputed result(source, again);
    const Nodes& nodes = result.graph.nodes();
    std::multiset<std::string> before;
    std::multiset<std::string> after;
    for (const Node& node : source.nodes()) before.insert(node.name);
    int copies = 0;
    std::set<std::string> copied;
    for (const Node& node : nodes) {
      if (!is_copy(node)) {
        after.insert(node.name);
      } else {
        ++copies;
        EXPECT_TRUE(copied.insert(node.name).second) << node.name << " is there twice";
        EXPECT_EQ(node.phase, Phase::backward);
      }
    }
    EXPECT_EQ(after, before);
    if (HasFailure()) return;
    if (copies == 0) continue;

    // Which of the originals may be copied: those that were chosen, and other names of their bytes.
    std::vector<bool> may = again;
    for (std::size_t i = 0; i < may.size(); ++i) {
      const Node& node = source.nodes()[i];
      if (node.kind != NodeKind::op || is_late(node) || node.op->aliases() < 0) continue;
      may[i] = may[at(node.inputs[at(node.op->aliases())].node)];
    }
    std::set<std::string> allowed;
    for (std::size_t i = 0; i < may.size(); ++i) {
      if (may[i]) allowed.insert(source.nodes()[i].name + ".again");
    }
    for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
      const Node& node = nodes[at(i)];
      if (is_copy(node)) {
        EXPECT_TRUE(allowed.contains(node.name)) << node.name;
        // Right before the first reader that is no copy stand only copies.
        int reader = i + 1;
        while (at(reader) < nodes.size() && is_copy(nodes[at(reader)])) ++reader;
        ASSERT_LT(at(reader), nodes.size());
        EXPECT_TRUE(is_late(nodes[at(reader)]));
      }
      for (const Node::Edge& edge : node.inputs) {
        EXPECT_LT(edge.node, i);
        const Node& input = nodes[at(edge.node)];
        if (!is_late(node)) {
          EXPECT_FALSE(is_copy(input)) << node.name << " of the forward phase reads a copy";
        } else {
          EXPECT_FALSE(allowed.contains(input.name + ".again"))
              << node.name << " reads what was to be computed again";
        }
      }
    }
  }
}

TEST(Recompute, FollowsTheRoots) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Differentiated source(seed);
    const Recomputed result(source, some(source.program->graph, seed));
    ASSERT_EQ(result.ends.roots.size(), source.roots.size());
    for (std::size_t i = 0; i < result.ends.roots.size(); ++i) {
      EXPECT_EQ(&result.ends.roots[i].graph(), &result.graph);
      EXPECT_EQ(result.ends.roots[i].name(), source.roots[i].name());
      EXPECT_EQ(result.ends.roots[i].type(), source.roots[i].type());
      EXPECT_EQ(result.ends.roots[i].output(), source.roots[i].output());
    }
  }
}

TEST(Recompute, FollowsTheInputs) {
  const Differentiated source(4);
  const Recomputed result(source, some(source.program->graph, 4));
  ASSERT_GT(result.ends.inputs.size(), 1U);
  EXPECT_FALSE(result.ends.inputs.back());
  std::size_t next = 0;
  for (const Node& node : source.nodes()) {
    if (node.kind != NodeKind::input) continue;
    const Value& input = result.ends.inputs[next++];
    EXPECT_EQ(&input.graph(), &result.graph);
    EXPECT_EQ(input.name(), node.name);
  }
}

TEST(Recompute, SaysWhatEachNodeIsOrIsACopyOf) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Differentiated source(seed);
    const Recomputed result(source, some(source.program->graph, seed));
    const Nodes& nodes = result.graph.nodes();
    ASSERT_EQ(result.origins.size(), nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const Node& origin = source.nodes()[at(result.origins[i])];
      EXPECT_EQ(nodes[i].name, origin.name + (is_copy(nodes[i]) ? ".again" : ""));
      EXPECT_EQ(nodes[i].op, origin.op);
    }
  }
}

TEST(Recompute, OfNothingOnlyOrders) {
  const Differentiated source(3);
  const Recomputed result(source, std::vector<bool>(source.nodes().size(), false));
  EXPECT_EQ(result.graph.nodes().size(), source.nodes().size());
}

TEST(Recompute, ComputesOtherNamesOfTheSameBytesAgain) {
  Graph graph;
  const Value x = graph.parameter("x", {4, 6}, Initializer::normal());
  const Value y = tanh(x);
  const Value other = reshape(y, {24});
  const Value z = other * other;
  Ends ends{.roots = gradients(sum(z), {x})};
  std::vector<bool> again(graph.nodes().size(), false);
  again[at(y.node())] = true;
  const std::string of_y = graph.nodes()[at(y.node())].name + ".again";
  const std::string of_other = graph.nodes()[at(other.node())].name + ".again";
  recompute(graph, ends, again);
  const Node* copy = nullptr;
  for (const Node& node : graph.nodes()) {
    if (node.name == of_other) copy = &node;
  }
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(graph.nodes()[at(copy->inputs[0].node)].name, of_y);
}

/// What the roots are, computed without any rewrite (which would merge copies with originals).
std::vector<Bytes> computed(const Graph& graph, const std::vector<Value>& roots,
                            const Program& program) {
  Session session(
      graph, {.fetches = roots,
              .threads = 2,
              .seed = 4,
              .execution = Execution::flow_graph,
              .rewrites = {
                  .fuse = false, .fuse_updates = false, .merge_equal = false, .drop_dead = false}});
  std::vector<Feed> feeds;
  for (const Feed& feed : program.feeds) {
    const Value input = graph.find(feed.input().name());
    feeds.emplace_back(input, static_cast<const float*>(feed.data()));
  }
  session.run(feeds);
  std::vector<Bytes> results;
  for (const Value& root : roots) results.push_back(bytes_of(session.view(root)));
  return results;
}

TEST(Recompute, LeavesTheBitsAsTheyAre) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const Differentiated source(seed);
    const auto expected = computed(source.program->graph, source.roots, *source.program);
    for (const bool all : {false, true}) {
      const Recomputed result(source, all ? recomputable(source.program->graph)
                                          : some(source.program->graph, seed + 100));
      EXPECT_EQ(computed(result.graph, result.ends.roots, *source.program), expected);
    }
  }
}

/// The bytes of the forward phase that late nodes read, counted in the graph as it then is.
double counted_bytes(const Graph& graph) {
  const Nodes& nodes = graph.nodes();
  std::set<std::pair<int, int>> read;
  for (const Node& node : nodes) {
    if (!is_late(node)) continue;
    for (Node::Edge edge : node.inputs) {
      while (nodes[at(edge.node)].kind == NodeKind::op && nodes[at(edge.node)].op->aliases() >= 0) {
        const Node& other = nodes[at(edge.node)];
        edge = other.inputs[at(other.op->aliases())];
      }
      if (nodes[at(edge.node)].kind == NodeKind::op && !is_late(nodes[at(edge.node)])) {
        read.emplace(edge.node, edge.output);
      }
    }
  }
  double bytes = 0;
  for (const auto& [node, output] : read) {
    bytes += static_cast<double>(nodes[at(node)].outputs[at(output)].bytes());
  }
  return bytes;
}

TEST(KeptBytes, AreThoseThatLateNodesReadOfTheForwardPhase) {
  std::set<double> seen;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Differentiated source(seed);
    const Graph& graph = source.program->graph;
    std::vector<std::vector<bool>> choices = {std::vector<bool>(graph.nodes().size(), false),
                                              recomputable(graph)};
    for (std::uint64_t k = 0; k < 5; ++k) choices.push_back(some(graph, 10 * seed + k));
    for (const std::vector<bool>& again : choices) {
      const Recomputed result(source, again);
      const double kept = kept_bytes(graph, again);
      EXPECT_EQ(kept, counted_bytes(result.graph)) << seed;
      seen.insert(kept);
    }
  }
  EXPECT_GT(seen.size(), 50U);
}

TEST(KeptBytes, CountOtherNamesOfTheSameBytesOnce) {
  Graph graph;
  const Value x = graph.parameter("x", {4, 6}, Initializer::normal());
  const Value y = tanh(x);
  const Value other = reshape(y, {24});
  // The square's gradient reads `other`, and the one of tanh reads `y`.
  gradients(sum(other * other), {x});
  std::vector<bool> again(graph.nodes().size(), false);
  EXPECT_EQ(kept_bytes(graph, again), 4 * 6 * 4);
  again[at(y.node())] = true;
  EXPECT_EQ(kept_bytes(graph, again), 0);
}

}  // namespace
}  // namespace gradmill
