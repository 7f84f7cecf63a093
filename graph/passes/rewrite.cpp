#include <gradmill/graph/passes/rewrite.h>

#include <algorithm>
#include <queue>
#include <utility>

#include <gradmill/graph/passes/fuse.h>
#include <gradmill/graph/passes/merge_equal.h>
#include <gradmill/graph/passes/rewriting.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>
#include <gradmill/runtime/support/lists.h>

namespace gradmill {
namespace {

using Edge = Node::Edge;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

void drop_dead(Rewriting& rewriting) {
  const Nodes& nodes = rewriting.nodes;
  std::vector<bool>& live = rewriting.live;
  std::vector<int> pending;
  std::vector<bool> reached(nodes.size(), false);
  for (const Edge& root : rewriting.roots) reached[at(root.node)] = true;
  // What a node reads is mostly before it, so that one way back through memory meets all.
  for (int i = rewriting.size() - 1; i >= 0; --i) {
    if (live[at(i)] && nodes[at(i)].updates) reached[at(i)] = true;
    if (!reached[at(i)]) continue;
    pending.assign(1, i);
    while (!pending.empty()) {
      const int index = pending.back();
      pending.pop_back();
      for (const Edge& edge : nodes[at(index)].inputs) {
        if (reached[at(edge.node)]) continue;
        reached[at(edge.node)] = true;
        if (edge.node > i) pending.push_back(edge.node);
      }
    }
  }
  const auto dropped = std::ranges::count(live, true) - std::ranges::count(reached, true);
  if (dropped > 0) log(LogLevel::debug, cat("rewrite: dropped ", dropped, " dead nodes"));
  live = std::move(reached);
}

// Puts the live nodes in an order in which inputs come first, close to the one they were added in.
class Renumbering {
 public:
  explicit Renumbering(Rewriting& rewriting)
      : rewriting_(rewriting), nodes_(rewriting.nodes), numbers_(nodes_.size(), -1) {}

  Nodes run() { return rewriting_.in_order ? without_dead() : sorted(); }

  /// The new number of a node; -1 when it is not live.
  int number(int node) const { return numbers_[at(node)]; }

 private:
  // What it reads has its new number already.
  void renumber(int index, int number) {
    for (Edge& edge : nodes_[at(index)].inputs) edge.node = numbers_[at(edge.node)];
    numbers_[at(index)] = number;
  }

  // Moves the live nodes together.
  Nodes without_dead() {
    int count = 0;
    for (int i = 0; i < rewriting_.size(); ++i) {
      if (!rewriting_.live[at(i)]) continue;
      renumber(i, count);
      if (count < i) nodes_[at(count)] = std::move(nodes_[at(i)]);
      ++count;
    }
    nodes_.resize(at(count));
    return std::move(nodes_);
  }

  Nodes sorted() {
    std::vector<std::pair<int, int>> edges;
    std::vector<int> waiting(nodes_.size(), 0);
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (int i = 0; i < rewriting_.size(); ++i) {
      if (!rewriting_.live[at(i)]) continue;
      for (const Edge& edge : nodes_[at(i)].inputs) {
        edges.emplace_back(edge.node, i);
        ++waiting[at(i)];
      }
      if (waiting[at(i)] == 0) ready.push(i);
    }
    const Lists consumers(edges, nodes_.size());
    Nodes result;
    while (!ready.empty()) {
      const int index = ready.top();
      ready.pop();
      renumber(index, static_cast<int>(result.size()));
      result.push_back(std::move(nodes_[at(index)]));
      for (const int consumer : consumers[index]) {
        if (--waiting[at(consumer)] == 0) ready.push(consumer);
      }
    }
    return result;
  }

  Rewriting& rewriting_;
  Nodes& nodes_;
  std::vector<int> numbers_;
};

}  // namespace

void rewrite(Graph& graph, Ends& ends, const RewriteOptions& options) {
  std::vector<Edge> roots;
  roots.reserve(ends.roots.size());
  for (const Value& root : ends.roots) roots.push_back({root.node(), root.output()});
  Rewriting rewriting(graph.release(), std::move(roots));
  if (options.drop_dead) drop_dead(rewriting);
  if (options.merge_equal) merge_equal(rewriting);
  if (options.fuse) fuse(rewriting, options.fuse_updates);
  if (options.drop_dead) drop_dead(rewriting);
  Renumbering renumbering(rewriting);
  graph.reset(renumbering.run());
  for (std::size_t i = 0; i < ends.roots.size(); ++i) {
    const Edge& root = rewriting.roots[i];
    ends.roots[i] = {&graph, renumbering.number(root.node), root.output};
  }
  for (Value& input : ends.inputs) {
    const int number = input ? renumbering.number(input.node()) : -1;
    input = number < 0 ? Value() : Value(&graph, number, 0);
  }
}

}  // namespace gradmill
