#pragma once

// What all reductions have in common; only their gradients differ.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/op.h>
#include <gradmill/ops/reduce/kernel.h>

namespace gradmill {

/// A reduction over `axes`, or over all where there are none; f32 or f64.
class ReduceOp : public Op {
 public:
  ReduceOp(const ReduceFunction& function, std::vector<int> axes, bool keepdim)
      : function_(function), axes_(std::move(axes)), keepdim_(keepdim) {}

  std::string_view name() const override { return function_.name; }
  std::optional<std::string> attributes() const override;
  std::vector<Type> infer(std::span<const Type> inputs) const override;
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override;
  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override;

 protected:
  const std::vector<int>& axes() const { return axes_; }
  /// `result`, reduced from `shape`, with the reduced axes of size 1.
  Value kept(Value result, const Shape& shape) const;

 private:
  ReduceFunction function_;
  std::vector<int> axes_;
  bool keepdim_;
};

}  // namespace gradmill
