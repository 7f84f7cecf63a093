#pragma once

#include <string>

#include <gradmill/runtime/tensor.h>

namespace gradmill {

class Graph;

/// One result of one node of a graph: a cheap handle, valid while its graph lives. A default
/// constructed Value is null and stands for "none".
class GRADMILL_API Value {
 public:
  Value() = default;
  Value(Graph* graph, int node, int output) : graph_(graph), node_(node), output_(output) {}

  explicit operator bool() const { return graph_ != nullptr; }
  /// Throws Error when null, as do the four below.
  Graph& graph() const;
  const Type& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  /// The name of the node that makes it.
  const std::string& name() const;

  int node() const { return node_; }
  int output() const { return output_; }

  friend bool operator==(const Value&, const Value&) = default;

 private:
  Graph* graph_ = nullptr;
  int node_ = -1;
  int output_ = 0;
};

}  // namespace gradmill
