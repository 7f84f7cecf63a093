#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace gradmill::bench {

/// The middle value; of two, the larger. `values` must not be empty.
template <class T>
T median(std::vector<T> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace gradmill::bench
