#include <gradmill/ops/elementwise/broadcast.h>

#include <algorithm>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/support/index.h>

namespace gradmill {

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(rank), 1);
  for (int k = 1; k <= rank; ++k) {
    const std::int64_t size_a = size_from_end(a, k);
    const std::int64_t size_b = size_from_end(b, k);
    check(size_a == size_b || size_a == 1 || size_b == 1, "shapes ", a, " and ", b,
          " do not broadcast: on axis ", -k, ", ", size_a, " and ", size_b,
          " differ and neither is 1");
    sizes[static_cast<std::size_t>(rank - k)] = std::max(size_a, size_b);
  }
  return Shape(sizes);
}

BroadcastRows::BroadcastRows(const Shape& result, std::span<const Type> operands) {
  std::array<std::int64_t, 2> natural{1, 1};
  std::vector<Axis> inner_first;
  for (int from_end = 1; from_end <= result.rank(); ++from_end) {
    Axis axis{result[result.rank() - from_end], {0, 0}};
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const Shape& shape = operands[k].shape;
      const std::int64_t size = from_end <= shape.rank() ? shape[shape.rank() - from_end] : 1;
      if (size > 1) axis.strides[k] = natural[k];
      natural[k] *= size;
    }
    if (axis.size == 1) continue;
    if (!inner_first.empty()) {
      Axis& inner = inner_first.back();
      if (axis.strides[0] == inner.strides[0] * inner.size &&
          axis.strides[1] == inner.strides[1] * inner.size) {
        inner.size *= axis.size;
        continue;
      }
    }
    inner_first.push_back(axis);
  }
  if (inner_first.empty()) inner_first.push_back({1, {1, 1}});
  axes_.assign(inner_first.rbegin(), inner_first.rend());
}

std::int64_t BroadcastRows::start(int operand, std::int64_t row) const {
  std::int64_t offset = 0;
  for (std::size_t k = axes_.size() - 1; k-- > 0;) {
    offset += row % axes_[k].size * axes_[k].strides[static_cast<std::size_t>(operand)];
    row /= axes_[k].size;
  }
  return offset;
}

}  // namespace gradmill
