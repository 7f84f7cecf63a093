#include <gradmill/graph/autodiff.h>

#include <algorithm>
#include <utility>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/kernels/accumulate.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/short_list.h>

namespace gradmill {
namespace {

using Key = Node::Edge;

Key key_of(const Value& value) { return {value.node(), value.output()}; }

class Backward {
 public:
  Backward(Graph& graph, std::span<const Value> outputs, std::span<const Value> wrt)
      : graph_(graph), depends_(graph.nodes().size(), false) {
    int last = -1;
    for (const Value& output : outputs) last = std::max(last, output.node());
    places_.reserve(static_cast<std::size_t>(last) + 2);
    places_.push_back(0);
    for (int index = 0; index <= last; ++index) {
      const Node& node = graph_.nodes()[static_cast<std::size_t>(index)];
      places_.push_back(places_.back() + node.outputs.size());
    }
    wanted_.assign(places_.back(), false);
    contributions_.resize(places_.back());
    last_ = last;
    for (const Value& value : wrt) {
      if (value.node() <= last) wanted_[place_of(key_of(value))] = true;
    }
    // Only nodes between wrt and outputs can carry a gradient that somebody asked for.
    for (int index = 0; index <= last; ++index) {
      const Node& node = graph_.nodes()[static_cast<std::size_t>(index)];
      for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
        if (needs(node, i)) depends_[static_cast<std::size_t>(index)] = true;
      }
    }
  }

  void add(Key key, Value gradient) { contributions_[place_of(key)].push_back(gradient); }

  void run() {
    for (int index = last_; index >= 0; --index) {
      if (depends_[static_cast<std::size_t>(index)]) visit(index);
    }
  }

  Value result(const Value& value) {
    const Value gradient = total(key_of(value));
    if (gradient) return gradient;
    const Graph::Scope scope(graph_, Phase::backward, value.name() + ".grad.");
    return graph_.constant(0.0, value.shape(), value.dtype());
  }

 private:
  std::size_t place_of(Key key) const {
    return places_[static_cast<std::size_t>(key.node)] + static_cast<std::size_t>(key.output);
  }

  bool needs(const Node& node, int i) const {
    const Node::Edge& edge = node.inputs[static_cast<std::size_t>(i)];
    return node.op->differentiable(i) &&
           (wanted_[place_of(edge)] || depends_[static_cast<std::size_t>(edge.node)]);
  }

  // What flowed back into a value; summed once, for the node's own gradient and for the caller.
  Value total(Key key) {
    if (key.node > last_) return {};
    auto& terms = contributions_[place_of(key)];
    if (terms.empty()) return {};
    if (terms.size() > 1) {
      const std::string& name = graph_.nodes()[static_cast<std::size_t>(key.node)].name;
      const Graph::Scope scope(graph_, Phase::backward, name + ".grad.");
      terms = {accumulate(terms)};
    }
    return terms.front();
  }

  void visit(int index) {
    const Node& node = graph_.nodes()[static_cast<std::size_t>(index)];
    ShortList<Value, 4> outputs;
    ShortList<Value, 4> upstream;
    bool reached = false;
    for (int output = 0; output < static_cast<int>(node.outputs.size()); ++output) {
      outputs.push_back({&graph_, index, output});
      upstream.push_back(total({index, output}));
      reached = reached || upstream.back();
    }
    if (!reached) return;
    ShortList<Value, 4> inputs;
    ShortList<bool, 8> needed;
    for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
      const Node::Edge& edge = node.inputs[static_cast<std::size_t>(i)];
      inputs.push_back({&graph_, edge.node, edge.output});
      needed.push_back(needs(node, i));
    }
    const std::vector<Value> results = gradient_of(node, {inputs, outputs, upstream, needed});
    check(results.size() == inputs.size(), node.op->name(), " '", node.name,
          "': its gradient gave ", results.size(), " values for ", inputs.size(), " inputs");
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i] || !needed[i]) continue;
      check(results[i].type() == inputs[i].type(), node.op->name(), " '", node.name,
            "': its gradient for input ", i, " is ", results[i].type(), ", and the input is ",
            inputs[i].type());
      add(key_of(inputs[i]), results[i]);
    }
  }

  std::vector<Value> gradient_of(const Node& node, const GradientContext& context) {
    const Graph::Scope scope(graph_, Phase::backward, node.name + ".grad.");
    try {
      return node.op->gradient(context);
    } catch (const Error& error) {
      throw Error(cat(node.op->name(), " '", node.name, "': ", error.what()));
    }
  }

  Graph& graph_;
  std::vector<bool> depends_;        // one per node: a wanted value flows into it
  std::vector<std::size_t> places_;  // one per node up to the last, and the end: its first value's
  std::vector<bool> wanted_;         // one per value
  std::vector<ShortList<Value, 2>> contributions_;  // likewise
  int last_ = -1;
};

void check_value(const char* what, std::size_t index, const Value& value, const Graph& graph) {
  check(static_cast<bool>(value), "gradients: ", what, " ", index, " is a null value");
  check(&value.graph() == &graph, "gradients: ", what, " ", index, " is a value of another graph");
  check(is_floating(value.dtype()), "gradients: ", what, " ", index, " '", value.name(), "' is ",
        value.type(), "; only f32 and f64 have gradients");
}

}  // namespace

std::vector<Value> gradients(std::span<const Value> outputs, std::span<const Value> wrt,
                             std::span<const Value> upstream) {
  check(!outputs.empty(), "gradients: no outputs given");
  check(upstream.empty() || upstream.size() == outputs.size(), "gradients: ", upstream.size(),
        " upstream values for ", outputs.size(), " outputs");
  Graph& graph = outputs[0].graph();
  for (std::size_t i = 0; i < outputs.size(); ++i) check_value("output", i, outputs[i], graph);
  for (std::size_t i = 0; i < wrt.size(); ++i) check_value("wrt", i, wrt[i], graph);
  for (std::size_t i = 0; i < upstream.size(); ++i) {
    if (!upstream[i]) continue;
    check_value("upstream", i, upstream[i], graph);
    check(upstream[i].type() == outputs[i].type(), "gradients: upstream ", i, " is ",
          upstream[i].type(), ", and output '", outputs[i].name(), "' is ", outputs[i].type());
  }

  Graph::Transaction transaction(graph);
  Backward backward(graph, outputs, wrt);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Value seed = upstream.empty() ? Value() : upstream[i];
    if (!seed) {
      const Graph::Scope scope(graph, Phase::backward, outputs[i].name() + ".grad.");
      seed = graph.constant(1.0, outputs[i].shape(), outputs[i].dtype());
    }
    backward.add(key_of(outputs[i]), seed);
  }
  backward.run();
  std::vector<Value> results;
  results.reserve(wrt.size());
  for (const Value& value : wrt) results.push_back(backward.result(value));
  transaction.keep();
  return results;
}

}  // namespace gradmill
