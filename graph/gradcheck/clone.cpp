#include <gradmill/graph/gradcheck/clone.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

Type in_f64(const Type& type) {
  return {is_floating(type.dtype) ? DType::f64 : type.dtype, type.shape};
}

Value constant_in_f64(Graph& graph, const Node& node) {
  return visit_dtype(node.outputs[0].dtype, [&](auto element) {
    using From = decltype(element);
    using To = std::conditional_t<is_floating(dtype_of<From>()), double, From>;
    std::vector<From> values(node.constant->size() / sizeof(From));
    std::memcpy(values.data(), node.constant->data(), node.constant->size());
    const std::vector<To> converted(values.begin(), values.end());
    return graph.constant(std::span<const To>(converted), node.outputs[0].shape);
  });
}

int op_in_f64(Clone& clone, const Node& node) {
  check(!node.updates, node.op->name(), " '", node.name,
        "' writes to its inputs; only what is computed from them can be copied");
  std::vector<Value> inputs;
  for (const Node::Edge& edge : node.inputs) {
    inputs.emplace_back(clone.graph.get(), clone.nodes[at(edge.node)], edge.output);
  }
  const int index = static_cast<int>(clone.graph->nodes().size());
  try {
    clone.graph->add(node.op, inputs, node.name);
  } catch (const Error& error) {
    throw Error(cat("in f64, which an op refuses: ", error.what()));
  }
  const std::vector<Type>& types = clone.graph->nodes().back().outputs;
  check(types.size() == node.outputs.size(), node.op->name(), " '", node.name, "' has ",
        types.size(), " outputs in f64, and ", node.outputs.size(), " as given");
  for (std::size_t i = 0; i < types.size(); ++i) {
    check(types[i] == in_f64(node.outputs[i]), node.op->name(), " '", node.name,
          "' must give f64 for f64: output ", i, " is ", types[i], ", and ", node.outputs[i],
          " as given");
  }
  return index;
}

int node_in_f64(Clone& clone, const Node& node) {
  const auto type = [&] { return in_f64(node.outputs[0]); };
  switch (node.kind) {
    case NodeKind::input: return clone.graph->input(node.name, type().shape, type().dtype).node();
    case NodeKind::parameter:
      return clone.graph->parameter(node.name, type().shape, Initializer::zeros(), DType::f64)
          .node();
    case NodeKind::constant: return constant_in_f64(*clone.graph, node).node();
    case NodeKind::op: return op_in_f64(clone, node);
    case NodeKind::state: break;
  }
  fail("'", node.name, "' is optimizer state, which has no gradient");
}

}  // namespace

Value Clone::of(const Value& value) const {
  const int node = nodes[at(value.node())];
  return node < 0 ? Value() : Value(graph.get(), node, value.output());
}

Clone clone_in_f64(const Graph& graph, std::span<const Value> roots) {
  std::vector<bool> reached(graph.nodes().size(), false);
  for (const Value& root : roots) reached[at(root.node())] = true;
  for (std::size_t i = reached.size(); i-- > 0;) {
    if (!reached[i]) continue;
    for (const Node::Edge& edge : graph.nodes()[i].inputs) reached[at(edge.node)] = true;
  }
  Clone clone;
  clone.graph = std::make_unique<Graph>();
  clone.nodes.assign(graph.nodes().size(), -1);
  for (std::size_t i = 0; i < reached.size(); ++i) {
    if (reached[i]) clone.nodes[i] = node_in_f64(clone, graph.nodes()[i]);
  }
  return clone;
}

}  // namespace gradmill
