#pragma once

// The labels of a loss, checked and counted by tiles before anything is computed from them.

#include <cstdint>

#include <gradmill/ops/cross_entropy/labels.h>
#include <gradmill/ops/tiles/flat_tiles.h>
#include <gradmill/runtime/shape.h>

namespace gradmill {

class LabelTiles {
 public:
  /// Labels of that shape, each `ignored` or in [0, classes).
  LabelTiles(const Shape& shape, std::int64_t classes, std::int64_t ignored)
      : shape_(shape), classes_(classes), ignored_(ignored), tiles_{shape.elements(), kLabels} {}

  std::int64_t count() const { return tiles_.count(); }

  /// What a tile's labels add to the divisor of a mean: their number or, where the classes have a
  /// weight, the sum of theirs. Ignored ones add nothing. Throws Error for the first out of range.
  template <class T>
  double check_tile(std::int64_t tile, const std::int64_t* labels, const T* weight) const {
    const std::int64_t begin = tiles_.begin(tile);
    const std::int64_t end = tiles_.end(tile);
    const std::int64_t count = count_labels(labels + begin, end - begin, classes_, ignored_);
    if (weight == nullptr && count >= 0) return static_cast<double>(count);
    double total = 0;
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t label = labels[line];
      if (label == ignored_) continue;
      check_label(label, line, shape_, classes_);
      if (weight != nullptr) total += static_cast<double>(weight[label]);
    }
    return total;
  }

 private:
  static constexpr std::int64_t kLabels = 16384;  // per tile

  Shape shape_;
  std::int64_t classes_;
  std::int64_t ignored_;
  FlatTiles tiles_;
};

}  // namespace gradmill
