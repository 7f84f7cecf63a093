#include <gradmill/graph/passes/recompute.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include <gradmill/graph/planning/schedule.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

using Edge = Node::Edge;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

bool is_forward_op(const Node& node) {
  return node.kind == NodeKind::op && node.phase == Phase::forward && !node.updates;
}

// Those in `again`, and other names for their bytes.
std::vector<bool> with_other_names(const Nodes& nodes, const std::vector<bool>& again) {
  std::vector<bool> result = again;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!is_forward_op(nodes[i]) || nodes[i].op->aliases() < 0) continue;
    if (result[at(nodes[i].inputs[at(nodes[i].op->aliases())].node)]) result[i] = true;
  }
  return result;
}

class Recomputer {
 public:
  Recomputer(const Nodes& nodes, std::vector<bool> again)
      : nodes_(nodes),
        again_(std::move(again)),
        moved_(nodes.size(), -1),
        copies_(nodes.size(), -1) {}

  Nodes run() {
    for (const int index : execution_order(nodes_)) {
      const Node& node = nodes_[at(index)];
      const bool late = node.kind == NodeKind::op && !is_forward_op(node);
      if (late) {
        for (const Edge& edge : node.inputs) {
          if (again_[at(edge.node)]) copy(edge.node);
        }
      }
      moved_[at(index)] = emit(index, late);
    }
    return std::move(result_);
  }

  int moved(int node) const { return moved_[at(node)]; }
  std::vector<int> take_origins() { return std::move(origins_); }

 private:
  // With all that it is computed from a second time, first things first.
  void copy(int index) {
    std::vector<std::pair<int, bool>> pending = {{index, false}};
    while (!pending.empty()) {
      const auto [next, ready] = pending.back();
      pending.pop_back();
      if (copies_[at(next)] >= 0) continue;
      if (ready) {
        copies_[at(next)] = emit(next, true);
        Node& node = result_.back();
        node.name += ".again";
        node.phase = Phase::backward;
        continue;
      }
      pending.emplace_back(next, true);
      for (const Edge& edge : nodes_[at(next)].inputs) {
        if (again_[at(edge.node)]) pending.emplace_back(edge.node, false);
      }
    }
  }

  int emit(int index, bool late) {
    Node& placed = result_.emplace_back(nodes_[at(index)]);
    origins_.push_back(index);
    for (Edge& edge : placed.inputs) {
      edge.node = late && again_[at(edge.node)] ? copies_[at(edge.node)] : moved_[at(edge.node)];
    }
    return static_cast<int>(result_.size()) - 1;
  }

  const Nodes& nodes_;
  std::vector<bool> again_;
  std::vector<int> moved_;   // one per node: its new number
  std::vector<int> copies_;  // one per node: the number of its copy, or -1
  Nodes result_;
  std::vector<int> origins_;  // one per node of the result
};

}  // namespace

std::vector<bool> recomputable(const Graph& graph) {
  std::vector<bool> result;
  for (const Node& node : graph.nodes()) {
    result.push_back(is_forward_op(node) && node.op->aliases() < 0 && !node.op->fallible());
  }
  return result;
}

std::vector<int> recompute(Graph& graph, Ends& ends, const std::vector<bool>& again) {
  Recomputer recomputer(graph.nodes(), with_other_names(graph.nodes(), again));
  Nodes nodes = recomputer.run();
  const auto follow = [&](Value& value) {
    if (value) value = {&graph, recomputer.moved(value.node()), value.output()};
  };
  std::ranges::for_each(ends.roots, follow);
  std::ranges::for_each(ends.inputs, follow);
  graph.reset(std::move(nodes));
  return recomputer.take_origins();
}

double kept_bytes(const Graph& graph, const std::vector<bool>& again) {
  const Nodes& nodes = graph.nodes();
  const std::vector<bool> copied = with_other_names(nodes, again);
  // From the back: who is read by late nodes, or by copies.
  std::vector<std::vector<bool>> read(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) read[i].assign(nodes[i].outputs.size(), false);
  double bytes = 0;
  for (std::size_t i = nodes.size(); i-- > 0;) {
    const Node& node = nodes[i];
    if (node.kind != NodeKind::op) continue;
    bool reads = !is_forward_op(node);
    for (std::size_t k = 0; !reads && k < read[i].size(); ++k) reads = copied[i] && read[i][k];
    if (is_forward_op(node) && !copied[i]) {
      const int alias = node.op->aliases();
      for (std::size_t k = 0; k < read[i].size(); ++k) {
        if (!read[i][k]) continue;
        if (alias < 0) {
          bytes += static_cast<double>(node.outputs[k].bytes());
        } else {
          const Edge& source = node.inputs[at(alias)];
          read[at(source.node)][at(source.output)] = true;
        }
      }
    }
    if (!reads) continue;
    for (const Edge& edge : node.inputs) read[at(edge.node)][at(edge.output)] = true;
  }
  return bytes;
}

}  // namespace gradmill
