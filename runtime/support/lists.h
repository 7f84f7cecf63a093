#pragma once

#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace gradmill {

/// Many short lists of numbers in two blocks of memory, where a vector each would take one apiece.
class Lists {
 public:
  Lists() : Lists({}, 0) {}
  /// `entries`: which of the `count` lists, and what is added to its end.
  Lists(std::span<const std::pair<int, int>> entries, std::size_t count)
      : begins_(count + 1, 0), numbers_(entries.size()) {
    for (const auto& [list, number] : entries) ++begins_[static_cast<std::size_t>(list) + 1];
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    std::vector<std::size_t> ends(begins_.begin(), begins_.end() - 1);
    for (const auto& [list, number] : entries) {
      numbers_[ends[static_cast<std::size_t>(list)]++] = number;
    }
  }

  std::size_t size() const { return begins_.size() - 1; }
  std::span<const int> operator[](int list) const {
    const auto index = static_cast<std::size_t>(list);
    return std::span(numbers_).subspan(begins_[index], begins_[index + 1] - begins_[index]);
  }

 private:
  std::vector<std::size_t> begins_;
  std::vector<int> numbers_;
};

}  // namespace gradmill
