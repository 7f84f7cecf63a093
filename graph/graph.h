#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <gradmill/graph/initializer.h>
#include <gradmill/graph/op.h>
#include <gradmill/graph/value.h>
#include <gradmill/runtime/plan.h>
#include <gradmill/runtime/short_list.h>

namespace gradmill {

enum class NodeKind : std::uint8_t { input, parameter, state, constant, op };

/// One node, as stored. Inputs refer to nodes with smaller numbers, so a graph has no cycle.
struct Node {
  struct Edge {
    int node;
    int output;
    friend bool operator==(const Edge&, const Edge&) = default;
  };
  NodeKind kind = NodeKind::op;
  Phase phase = Phase::forward;
  bool updates = false;  ///< whether the op mutates any input
  std::string name;
  std::shared_ptr<const Op> op;  ///< for NodeKind::op
  ShortList<Edge, 6> inputs;     // of which an update has many
  ShortList<Type, 1> outputs;
  std::shared_ptr<const Initializer> initializer;          ///< for parameters
  std::shared_ptr<const std::vector<std::byte>> constant;  ///< for constants
};

/// The nodes of a graph in the order in which they were added. References to them stay good while
/// it grows, and with them what `Value::type` and `Value::name` return.
using Nodes = std::deque<Node>;

/// A computation, described once. Shapes and types are inferred and checked as nodes are added; a
/// call that throws leaves the graph as it was. Values refer to the graph by address, so it neither
/// moves nor copies. Not for use by two threads at once while being extended.
class GRADMILL_API Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Something that each run is fed. Throws Error when the name is empty or taken.
  Value input(std::string name, Shape shape, DType dtype = DType::f32);

  /// A tensor that training changes, kept in `Parameters` under its name. Throws Error when the
  /// name is empty or taken, or the dtype is not floating.
  Value parameter(std::string name, Shape shape, Initializer initializer, DType dtype = DType::f32);

  /// A tensor with every element equal to `value`; the default shape is a scalar. An i64 constant
  /// takes a whole number, else Error.
  Value constant(double value, Shape shape = {}, DType dtype = DType::f32);

  /// A tensor copied from `values`, row-major. Throws Error when the count does not fit.
  template <Element T>
  Value constant(std::span<const T> values, Shape shape) {
    return constant_bytes(std::as_bytes(values), {dtype_of<T>(), std::move(shape)});
  }

  /// Adds a node. `inputs` must be values of this graph. An empty name is made from the op's.
  /// Throws Error as `Op::infer` does, prefixed with op and name.
  std::vector<Value> add(std::shared_ptr<const Op> op, std::span<const Value> inputs,
                         std::string name = {});
  std::vector<Value> add(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs,
                         std::string name = {}) {
    return add(std::move(op), std::span<const Value>(inputs.begin(), inputs.size()),
               std::move(name));
  }

  const Nodes& nodes() const { return nodes_; }

  /// The parameter or input of that name; null when there is none.
  Value find(std::string_view name) const;

  /// Nodes added while a Scope lives get its phase, and default names that start with its prefix.
  class GRADMILL_API Scope {
   public:
    Scope(Graph& graph, Phase phase, std::string prefix);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Graph& graph_;
    Phase phase_;
    std::string prefix_;
  };

  /// Takes back what was added while it lives, unless `keep` is called: what adds several nodes
  /// uses it to leave the graph as it was when one of them is refused.
  class GRADMILL_API Transaction {
   public:
    explicit Transaction(Graph& graph);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void keep() { kept_ = true; }

   private:
    Graph& graph_;
    std::size_t nodes_;
    std::size_t numbered_;
    bool kept_ = false;
  };

  // Used by the passes that turn a graph into a plan.

  /// Optimizer state: like a parameter, but not differentiated and named after one.
  Value state(std::string name, Type type);
  /// Gives up the nodes, for a pass that will `reset` it.
  Nodes release();
  /// Replaces everything by `nodes`, with these numbers. Throws Error unless each node's inputs
  /// refer to earlier ones.
  void reset(Nodes nodes);

 private:
  Value constant_bytes(std::span<const std::byte> bytes, Type type);
  Value source(Node node);
  void find_sources();
  std::string numbered(const std::string& name) const;
  void count_name(std::string name);

  Nodes nodes_;
  // Inputs, parameters and states by name: the nodes' own names, which stay where they are. Made
  // when one is added; after a `reset` that is mostly never.
  std::unordered_map<std::string_view, int> sources_;
  bool sources_known_ = true;
  std::unordered_map<std::string, int> name_uses_;  // for numbering default names
  int transactions_ = 0;                            // that live
  std::vector<int*> numbered_;  // of the default names given since the first began: their uses
  Phase phase_ = Phase::forward;
  std::string prefix_;
};

}  // namespace gradmill
