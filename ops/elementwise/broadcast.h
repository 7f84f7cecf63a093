#pragma once

// Broadcasting by NumPy's rule: the shape of a result, and where its operands' elements are.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <gradmill/runtime/shape.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// The shape of an elementwise result of `a` and `b`. Throws Error naming both.
Shape broadcast_shapes(const Shape& a, const Shape& b);

/// A result cut into rows along which each operand is read with stride 1, or 0 where it is
/// broadcast: axes in which all operands have the same order are merged.
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
