#include <gradmill/graph/rewrite.h>

#include <algorithm>
#include <map>
#include <optional>
#include <queue>
#include <typeinfo>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>

namespace gradmill {
namespace {

using Edge = Node::Edge;

bool is_update(const Node& node) { return node.op != nullptr && !node.op->mutates().empty(); }

// The nodes under rewriting. Numbers stay what they were; nodes go out of use, or are replaced by
// fused ones, and `finish` puts the rest in order again.
class Rewriter {
 public:
  Rewriter(Nodes nodes, std::vector<Edge> roots)
      : nodes_(std::move(nodes)), roots_(std::move(roots)), live_(nodes_.size(), true) {}

  void drop_dead() {
    std::vector<bool> reached(nodes_.size(), false);
    std::vector<int> pending;
    const auto reach = [&](int index) {
      if (reached[at(index)]) return;
      reached[at(index)] = true;
      pending.push_back(index);
    };
    for (const Edge& root : roots_) reach(root.node);
    for (int i = 0; i < size(); ++i) {
      if (live_[at(i)] && is_update(nodes_[at(i)])) reach(i);
    }
    while (!pending.empty()) {
      const int index = pending.back();
      pending.pop_back();
      for (const Edge& edge : nodes_[at(index)].inputs) reach(edge.node);
    }
    const auto dropped = std::ranges::count(live_, true) - std::ranges::count(reached, true);
    if (dropped > 0) log(LogLevel::debug, cat("rewrite: dropped ", dropped, " dead nodes"));
    live_ = std::move(reached);
  }

  void merge_equal() {
    std::map<std::string, std::vector<int>> seen;
    for (int i = 0; i < size(); ++i) {
      Node& node = nodes_[at(i)];
      if (!live_[at(i)] || !mergeable(node)) continue;
      std::vector<int>& candidates = seen[signature(node)];
      const auto twin = std::ranges::find_if(
          candidates, [&](int other) { return computes_same(nodes_[at(other)], node); });
      if (twin == candidates.end()) {
        candidates.push_back(i);
        continue;
      }
      log(LogLevel::debug,
          cat("rewrite: '", node.name, "' computes the same as '", nodes_[at(*twin)].name, "'"));
      live_[at(i)] = false;
      for (int output = 0; output < static_cast<int>(node.outputs.size()); ++output) {
        redirect({i, output}, {*twin, output});
      }
    }
  }

  void fuse(bool updates) {
    fuse_updates_ = updates;
    count_readers();
    for (int i = 0; i < size(); ++i) {
      if (live_[at(i)] && nodes_[at(i)].kind == NodeKind::op) fuse_into_consumers(i);
    }
  }

  // The live nodes in an order in which inputs come first, close to the one they were added in.
  Nodes finish(std::vector<Edge>& roots) {
    std::vector<std::vector<int>> consumers(nodes_.size());
    std::vector<int> waiting(nodes_.size(), 0);
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (int i = 0; i < size(); ++i) {
      if (!live_[at(i)]) continue;
      for (const Edge& edge : nodes_[at(i)].inputs) {
        consumers[at(edge.node)].push_back(i);
        ++waiting[at(i)];
      }
      if (waiting[at(i)] == 0) ready.push(i);
    }
    std::vector<int> renamed(nodes_.size(), -1);
    Nodes result;
    while (!ready.empty()) {
      const int index = ready.top();
      ready.pop();
      renamed[at(index)] = static_cast<int>(result.size());
      Node node = nodes_[at(index)];
      for (Edge& edge : node.inputs) edge.node = renamed[at(edge.node)];
      result.push_back(std::move(node));
      for (const int consumer : consumers[at(index)]) {
        if (--waiting[at(consumer)] == 0) ready.push(consumer);
      }
    }
    roots = roots_;
    for (Edge& root : roots) root.node = renamed[at(root.node)];
    return result;
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  int size() const { return static_cast<int>(nodes_.size()); }

  static bool mergeable(const Node& node) {
    return node.kind == NodeKind::constant || (node.kind == NodeKind::op && !is_update(node));
  }

  static std::string signature(const Node& node) {
    std::string text = node.op != nullptr ? cat(node.op->name(), '|', node.op->attributes())
                                          : to_string(node.outputs[0]);
    for (const Edge& edge : node.inputs) text += cat('|', edge.node, ':', edge.output);
    return text;
  }

  static bool computes_same(const Node& a, const Node& b) {
    if (a.kind != b.kind) return false;
    if (a.kind == NodeKind::constant) return *a.constant == *b.constant;
    const Op& first = *a.op;
    const Op& second = *b.op;
    return typeid(first) == typeid(second);
  }

  void redirect(Edge from, Edge to) {
    for (Node& node : nodes_) std::ranges::replace(node.inputs, from, to);
    std::ranges::replace(roots_, from, to);
  }

  void count_readers() {
    readers_.assign(nodes_.size(), {});
    for (int i = 0; i < size(); ++i) {
      if (!live_[at(i)]) continue;
      for (const Edge& edge : nodes_[at(i)].inputs) {
        auto& readers = readers_[at(edge.node)];
        if (readers.empty() || readers.back() != i) readers.push_back(i);
      }
    }
  }

  void fuse_into_consumers(int producer) {
    // A fused node may absorb again, so it stays the producer until nothing more fits.
    for (bool changed = true; changed;) {
      changed = false;
      for (const int consumer : readers_[at(producer)]) {
        if (!live_[at(consumer)]) continue;
        if (is_update(nodes_[at(consumer)]) && !fuse_updates_) continue;
        if (const auto fused = try_fuse(producer, consumer)) {
          producer = *fused;
          changed = true;
          break;
        }
      }
    }
  }

  std::optional<int> try_fuse(int producer, int consumer) {
    const Node& first = nodes_[at(producer)];
    const Node& second = nodes_[at(consumer)];
    const std::vector<Type> first_inputs = types(first.inputs);
    const std::vector<Type> second_inputs = types(second.inputs);
    std::vector<int> from_producer;
    for (const Edge& edge : second.inputs) {
      from_producer.push_back(edge.node == producer ? edge.output : -1);
    }
    const auto absorbed = first.op->absorb(
        {*second.op, first_inputs, first.outputs, second_inputs, second.outputs, from_producer});
    if (!absorbed || !allowed(producer, consumer, *absorbed)) return std::nullopt;

    Node fused = first;
    if (is_update(second)) {
      fused.name = second.name;
      fused.phase = second.phase;
    }
    fused.op = absorbed->op;
    for (const int i : absorbed->extra_inputs) fused.inputs.push_back(second.inputs[at(i)]);
    try {
      fused.outputs = fused.op->infer(types(fused.inputs));
    } catch (const Error& error) {
      throw Error(cat(first.op->name(), " '", first.name, "' absorbing ", second.op->name(), " '",
                      second.name, "': ", error.what()));
    }
    log(LogLevel::debug, cat("rewrite: ", first.op->name(), " '", first.name, "' absorbs ",
                             second.op->name(), " '", second.name, "'"));
    // The fused node takes the consumer's number, which is behind all of its inputs.
    live_[at(producer)] = false;
    nodes_[at(consumer)] = std::move(fused);
    // Two passes, so that an output of the consumer is not taken for one of the fused node.
    for (int output = 0; output < static_cast<int>(absorbed->outputs.size()); ++output) {
      const int origin = absorbed->outputs[at(output)];
      if (origin < 0) redirect({consumer, -1 - origin}, {consumer, kMoved + output});
    }
    for (int output = 0; output < static_cast<int>(absorbed->outputs.size()); ++output) {
      const int origin = absorbed->outputs[at(output)];
      if (origin >= 0) redirect({producer, origin}, {consumer, output});
      redirect({consumer, kMoved + output}, {consumer, output});
    }
    count_readers();
    return consumer;
  }

  bool allowed(int producer, int consumer, const Absorbed& absorbed) const {
    const auto kept = [&](int output) {
      return std::ranges::find(absorbed.outputs, output) != absorbed.outputs.end();
    };
    for (const Edge& root : roots_) {
      if (root.node == producer && !kept(root.output)) return false;
    }
    for (const int reader : readers_[at(producer)]) {
      if (reader == consumer) continue;
      for (const Edge& edge : nodes_[at(reader)].inputs) {
        if (edge.node == producer && !kept(edge.output)) return false;
      }
    }
    // The fused node must not write what it reads as the producer did: not all of its tiles at
    // once.
    const Node& second = nodes_[at(consumer)];
    for (const int i : second.op == nullptr ? std::vector<int>() : second.op->mutates()) {
      for (const Edge& edge : nodes_[at(producer)].inputs) {
        if (source_of(edge.node) == source_of(second.inputs[at(i)].node)) return false;
      }
    }
    // What the consumer takes from elsewhere must not itself wait for the producer.
    return std::ranges::none_of(absorbed.extra_inputs, [&](int i) {
      const Edge& edge = nodes_[at(consumer)].inputs[at(i)];
      return edge.node == producer || depends_on(edge.node, producer);
    });
  }

  // The node whose bytes a value is, seen through ops that only rename.
  int source_of(int index) const {
    while (nodes_[at(index)].op != nullptr && nodes_[at(index)].op->aliases() >= 0) {
      index = nodes_[at(index)].inputs[at(nodes_[at(index)].op->aliases())].node;
    }
    return index;
  }

  bool depends_on(int index, int other) const {
    std::vector<bool> seen(nodes_.size(), false);
    std::vector<int> pending = {index};
    while (!pending.empty()) {
      const int next = pending.back();
      pending.pop_back();
      for (const Edge& edge : nodes_[at(next)].inputs) {
        if (edge.node == other) return true;
        if (!seen[at(edge.node)]) pending.push_back(edge.node);
        seen[at(edge.node)] = true;
      }
    }
    return false;
  }

  std::vector<Type> types(const std::vector<Edge>& edges) const {
    std::vector<Type> result;
    result.reserve(edges.size());
    for (const Edge& edge : edges) result.push_back(nodes_[at(edge.node)].outputs[at(edge.output)]);
    return result;
  }

  static constexpr int kMoved = 1 << 20;

  Nodes nodes_;
  std::vector<Edge> roots_;
  std::vector<bool> live_;
  std::vector<std::vector<int>> readers_;
  bool fuse_updates_ = true;
};

}  // namespace

void rewrite(Graph& graph, std::vector<Value>& roots, const RewriteOptions& options) {
  std::vector<Edge> edges;
  edges.reserve(roots.size());
  for (const Value& root : roots) edges.push_back({root.node(), root.output()});
  Rewriter rewriter(graph.nodes(), edges);
  if (options.drop_dead) rewriter.drop_dead();
  if (options.merge_equal) rewriter.merge_equal();
  if (options.fuse) rewriter.fuse(options.fuse_updates);
  if (options.drop_dead) rewriter.drop_dead();
  graph.reset(rewriter.finish(edges));
  for (std::size_t i = 0; i < roots.size(); ++i)
    roots[i] = {&graph, edges[i].node, edges[i].output};
}

}  // namespace gradmill
