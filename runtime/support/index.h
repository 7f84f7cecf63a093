#pragma once

// Axes counted from the end, and places in a tensor.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <gradmill/runtime/shape.h>

namespace gradmill {

/// The size of the axis -k; 1 where a shape is too short for it, as in broadcasting.
inline std::int64_t size_from_end(const Shape& shape, int k) {
  return k <= shape.rank() ? shape[shape.rank() - k] : 1;
}

/// One number an axis of the row-major `element` of `shape`, as `numpy.unravel_index`.
inline std::vector<std::int64_t> unravel_index(std::int64_t element, const Shape& shape) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = element % shape[axis];
    element /= shape[axis];
  }
  return index;
}

/// "[1, 2]".
inline std::string index_text(std::span<const std::int64_t> index) {
  std::string text = "[";
  for (const std::int64_t i : index) text += (text.size() > 1 ? ", " : "") + std::to_string(i);
  return text + "]";
}

}  // namespace gradmill
