#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace gradmill {

/// Of an even number, the mean of the two in the middle; of none, 0.
inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::ranges::max_element(values.begin(), middle)) / 2;
}

}  // namespace gradmill
