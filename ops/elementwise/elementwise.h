#pragma once

// Internal: what all elementwise ops have in common. A pass that wants to know whether an op is
// elementwise casts to UnaryOp or BinaryOp and asks for its kind.

#include <gradmill/graph/graph.h>
#include <gradmill/graph/op.h>
#include <gradmill/ops/elementwise/loops.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gradmill {

/// y = f(x), element by element; f32 or f64. Derived classes have the name and the gradient.
class UnaryOp : public Op {
 public:
  explicit UnaryOp(Unary kind) : kind_(kind) {}
  Unary kind() const { return kind_; }

  std::optional<std::string> attributes() const override { return ""; }
  std::vector<Type> infer(std::span<const Type> inputs) const override;
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override;
  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override;
  bool in_place(int input, int output, std::span<const Type> inputs) const override;

 private:
  Unary kind_;
};

/// y = f(a, b), element by element with NumPy broadcasting; both f32 or both f64.
class BinaryOp : public Op {
 public:
  explicit BinaryOp(Binary kind) : kind_(kind) {}
  Binary kind() const { return kind_; }

  std::optional<std::string> attributes() const override { return ""; }
  std::vector<Type> infer(std::span<const Type> inputs) const override;
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override;
  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override;
  bool in_place(int input, int output, std::span<const Type> inputs) const override;

 private:
  Binary kind_;
};

/// Throws Error unless `type` is f32 or f64.
void check_floating(const Type& type);

/// Adds a one-output op to the graph of its first input.
Value add_op(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs, std::string name);

/// How the elements of an n-element result are shared out, by `n` and `grain` only: tile t has
/// [t * grain, min(n, (t + 1) * grain)).
struct FlatTiles {
  std::int64_t n;
  std::int64_t grain;
  std::int64_t count() const { return (n + grain - 1) / grain; }
  std::int64_t begin(std::int64_t tile) const { return tile * grain; }
  std::int64_t end(std::int64_t tile) const { return std::min(n, (tile + 1) * grain); }
};

/// Elements a tile of a pass that is bound by memory.
inline constexpr std::int64_t kFlatGrain = 32768;

/// A result cut into rows along which each operand is read with stride 1, or 0 where it is
/// broadcast: axes that all operands lay out alike are merged.
class BroadcastRows {
 public:
  /// Every operand must broadcast to `result`.
  BroadcastRows(const Shape& result, std::span<const Type> operands);

  std::int64_t length() const { return axes_.back().size; }
  int stride(int operand) const {
    return static_cast<int>(axes_.back().strides[static_cast<std::size_t>(operand)]);
  }
  /// The element of `operand` with which row `row` starts.
  std::int64_t start(int operand, std::int64_t row) const;

 private:
  struct Axis {
    std::int64_t size;
    std::array<std::int64_t, 2> strides;
  };
  std::vector<Axis> axes_;  // at least one
};

}  // namespace gradmill
