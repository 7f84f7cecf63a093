#include <gradmill/graph/graph.h>

#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

std::vector<std::byte> filled(double value, const Type& type) {
  return visit_dtype(type.dtype, [&](auto element) {
    using T = decltype(element);
    if constexpr (std::is_integral_v<T>) {
      check(std::nearbyint(value) == value && std::abs(value) < 9.2e18, "constant: an ",
            to_string(type.dtype), " constant needs a whole number, got ", value);
    }
    const T converted = static_cast<T>(value);
    std::vector<std::byte> bytes(static_cast<std::size_t>(type.shape.elements()) * sizeof(T));
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
      std::memcpy(bytes.data() + at, &converted, sizeof(T));
    }
    return bytes;
  });
}

bool is_source(const Node& node) {
  return node.kind == NodeKind::input || node.kind == NodeKind::parameter ||
         node.kind == NodeKind::state;
}

}  // namespace

Graph::Scope::Scope(Graph& graph, Phase phase, std::string prefix)
    : graph_(graph),
      phase_(std::exchange(graph.phase_, phase)),
      prefix_(std::exchange(graph.prefix_, std::move(prefix))) {}

Graph::Scope::~Scope() {
  graph_.phase_ = phase_;
  graph_.prefix_ = std::move(prefix_);
}

Graph::Transaction::Transaction(Graph& graph)
    : graph_(graph), nodes_(graph.nodes_.size()), numbered_(graph.numbered_.size()) {
  ++graph_.transactions_;
}

Graph::Transaction::~Transaction() {
  if (--graph_.transactions_ == 0 && kept_) graph_.numbered_.clear();
  if (kept_) return;
  for (std::size_t i = nodes_; i < graph_.nodes_.size(); ++i) {
    if (is_source(graph_.nodes_[i])) graph_.sources_.erase(graph_.nodes_[i].name);
  }
  graph_.nodes_.resize(nodes_);
  for (std::size_t i = numbered_; i < graph_.numbered_.size(); ++i) {
    --*graph_.numbered_[i];
  }
  graph_.numbered_.resize(numbered_);
}

Value Graph::input(std::string name, Shape shape, DType dtype) {
  Node node;
  node.kind = NodeKind::input;
  node.name = std::move(name);
  node.outputs = {{dtype, std::move(shape)}};
  return source(std::move(node));
}

Value Graph::parameter(std::string name, Shape shape, Initializer initializer, DType dtype) {
  check(is_floating(dtype), "parameter '", name, "': ", to_string(dtype),
        " cannot be trained; f32 and f64 can");
  Node node;
  node.kind = NodeKind::parameter;
  node.name = std::move(name);
  node.outputs = {{dtype, std::move(shape)}};
  node.initializer = std::make_shared<const Initializer>(initializer);
  return source(std::move(node));
}

Value Graph::state(std::string name, Type type) {
  Node node;
  node.kind = NodeKind::state;
  node.name = std::move(name);
  node.phase = Phase::update;
  node.outputs = {std::move(type)};
  return source(std::move(node));
}

Value Graph::source(Node node) {
  const char* kind = node.kind == NodeKind::input       ? "input"
                     : node.kind == NodeKind::parameter ? "parameter"
                                                        : "state";
  check(!node.name.empty(), kind, ": a name is needed");
  if (!sources_known_) find_sources();
  check(!sources_.contains(node.name), kind, " '", node.name,
        "': the name is taken by another input or parameter");
  const int index = static_cast<int>(nodes_.size());
  nodes_.push_back(std::move(node));
  try {
    sources_.emplace(nodes_.back().name, index);
  } catch (...) {
    nodes_.pop_back();
    throw;
  }
  return {this, index, 0};
}

Value Graph::constant(double value, Shape shape, DType dtype) {
  const Type type{dtype, std::move(shape)};
  try {
    return constant_bytes(filled(value, type), type);
  } catch (const std::bad_alloc&) {
    throw Failure(cat("constant: out of memory for ", type));
  } catch (const std::length_error&) {
    throw Failure(cat("constant: out of memory for ", type));
  }
}

Value Graph::constant_bytes(std::span<const std::byte> bytes, Type type) {
  check(bytes.size() == type.bytes(), "constant: shape ", type.shape, " takes ",
        type.shape.elements(), " elements, got ", bytes.size() / size_of(type.dtype));
  Node node;
  node.kind = NodeKind::constant;
  node.name = numbered("constant");
  node.phase = phase_;
  node.constant = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  node.outputs = {std::move(type)};
  count_name("constant");
  nodes_.push_back(std::move(node));
  return {this, static_cast<int>(nodes_.size()) - 1, 0};
}

std::vector<Value> Graph::add(std::shared_ptr<const Op> op, std::span<const Value> inputs,
                              std::string name) {
  check(op != nullptr, "a null op was added");
  std::string default_name;
  if (name.empty()) default_name.append(prefix_).append(op->name());
  Node node;
  node.name = name.empty() ? numbered(default_name) : std::move(name);
  node.phase = phase_;
  // Written out only for an error.
  const auto check_node = [&](bool condition, const auto&... message) {
    check(condition, op->name(), " '", node.name, "': ", message...);
  };
  ShortList<Type, 4> types;
  types.reserve(inputs.size());
  node.inputs.reserve(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = inputs[i];
    check_node(static_cast<bool>(value), "input ", i, " is a null value");
    check_node(&value.graph() == this, "input ", i, " is a value of another graph");
    try {
      types.push_back(value.type());
    } catch (const Error& error) {
      throw Error(cat(op->name(), " '", node.name, "': input ", i, ": ", error.what(),
                      "; a node reads only what was added before it"));
    }
    check_node(is_known(types.back().dtype), "input ", i, " is of ", to_string(types.back().dtype),
               ", which is none of f32, f64 and i64");
    node.inputs.push_back({value.node(), value.output()});
  }
  try {
    node.outputs = op->infer(types);
  } catch (const Error& error) {
    throw Error(cat(op->name(), " '", node.name, "': ", error.what()));
  }
  for (const int i : op->mutates()) {
    check_node(i >= 0 && i < static_cast<int>(inputs.size()), "mutates() names input ", i, " of ",
               inputs.size());
    const NodeKind kind =
        nodes_[static_cast<std::size_t>(inputs[static_cast<std::size_t>(i)].node())].kind;
    check_node(kind == NodeKind::parameter || kind == NodeKind::state, "input ", i,
               " is written, and must be a parameter or optimizer state");
    node.phase = Phase::update;
    node.updates = true;
  }
  if (const int i = op->aliases(); i >= 0) {
    check_node(i < static_cast<int>(inputs.size()) && node.outputs.size() == 1 &&
                   node.outputs[0].bytes() == types[static_cast<std::size_t>(i)].bytes(),
               "aliases() names input ", i, ", which has not the bytes of the one output");
  }
  node.op = std::move(op);
  if (!default_name.empty()) count_name(std::move(default_name));
  const int index = static_cast<int>(nodes_.size());
  std::vector<Value> results;
  results.reserve(node.outputs.size());
  for (int output = 0; output < static_cast<int>(node.outputs.size()); ++output) {
    results.emplace_back(this, index, output);
  }
  nodes_.push_back(std::move(node));
  return results;
}

Value Graph::find(std::string_view name) const {
  const auto value = [&](int index) { return Value(const_cast<Graph*>(this), index, 0); };
  if (sources_known_) {
    const auto found = sources_.find(name);
    return found == sources_.end() ? Value() : value(found->second);
  }
  for (int index = 0; index < static_cast<int>(nodes_.size()); ++index) {
    const Node& node = nodes_[static_cast<std::size_t>(index)];
    if (is_source(node) && node.name == name) return value(index);
  }
  return {};
}

Nodes Graph::release() {
  sources_.clear();
  return std::exchange(nodes_, {});
}

void Graph::reset(Nodes nodes) {
  for (int index = 0; index < static_cast<int>(nodes.size()); ++index) {
    const Node& node = nodes[static_cast<std::size_t>(index)];
    for (const Node::Edge& edge : node.inputs) {
      check(edge.node >= 0 && edge.node < index, "node ", index, " '", node.name, "' reads node ",
            edge.node, ", which is not before it: the graph has a cycle");
    }
  }
  nodes_ = std::move(nodes);
  sources_.clear();
  sources_known_ = false;
}

void Graph::find_sources() {
  for (int index = 0; index < static_cast<int>(nodes_.size()); ++index) {
    const Node& node = nodes_[static_cast<std::size_t>(index)];
    if (is_source(node)) sources_.emplace(node.name, index);
  }
  sources_known_ = true;
}

std::string Graph::numbered(const std::string& name) const {
  const auto uses = name_uses_.find(name);
  if (uses == name_uses_.end() || uses->second == 0) return name;
  return cat(name, '_', uses->second + 1);
}

void Graph::count_name(std::string name) {
  int& uses = name_uses_[std::move(name)];
  if (transactions_ > 0) numbered_.push_back(&uses);
  ++uses;
}

}  // namespace gradmill
