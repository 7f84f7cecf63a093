#pragma once

// What all elementwise ops have in common. A pass that wants to know whether an op is elementwise
// casts to UnaryOp or BinaryOp and asks for its function.

#include <gradmill/graph/graph.h>
#include <gradmill/graph/op.h>
#include <gradmill/ops/elementwise/function.h>
#include <gradmill/ops/tiles/flat_tiles.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradmill {

/// y = f(x), element by element; f32 or f64. Derived classes have the gradient.
class UnaryOp : public Op {
 public:
  explicit UnaryOp(const UnaryFunction& function) : function_(function) {}
  const UnaryFunction& function() const { return function_; }

  std::string_view name() const override { return function_.name; }
  std::optional<std::string> attributes() const override;
  std::vector<Type> infer(std::span<const Type> inputs) const override;
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override;
  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override;
  bool in_place(int input, int output, std::span<const Type> inputs) const override;

 private:
  UnaryFunction function_;
};

/// y = f(a, b), element by element with NumPy broadcasting; both f32 or both f64.
class BinaryOp : public Op {
 public:
  explicit BinaryOp(const BinaryFunction& function) : function_(function) {}
  const BinaryFunction& function() const { return function_; }

  std::string_view name() const override { return function_.name; }
  std::optional<std::string> attributes() const override;
  std::vector<Type> infer(std::span<const Type> inputs) const override;
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override;
  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override;
  bool in_place(int input, int output, std::span<const Type> inputs) const override;

 private:
  BinaryFunction function_;
};

/// Throws Error unless `type` is f32 or f64.
void check_floating(const Type& type);

/// Adds a one-output op to the graph of its first input.
Value add_op(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs, std::string name);

}  // namespace gradmill
