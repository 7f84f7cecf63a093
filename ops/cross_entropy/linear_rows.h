#pragma once

// Internal: cross-entropy with labels, row by row, over logits that are there a block at a time.

#include <algorithm>
#include <cstdint>

#include <gradmill/ops/cross_entropy/labels.h>
#include <gradmill/ops/cross_entropy/linear_kernel.h>
#include <gradmill/ops/cross_entropy/row_loops.h>
#include <gradmill/ops/elementwise/elementwise.h>

namespace gradmill {

/// The buffers of a node by what they mean; null where it has none.
template <class T>
struct LossBuffers {
  const std::int64_t* labels;
  const T* known_rest = nullptr;
  const T* upstream = nullptr;
  T* loss = nullptr;
  T* rest = nullptr;
  double* sums;  ///< of LossRows::sums(): a number a tile, added up in one order, whoever ran it
};

template <class T>
class LossRows {
 public:
  /// Tiles of rows begin anew with each of `blocks` blocks of `block` rows.
  LossRows(const LinearCrossEntropyProblem& problem, std::int64_t block, std::int64_t blocks)
      : problem_(problem),
        classes_(problem.classes),
        block_(block),
        blocks_(blocks),
        rows_per_tile_(std::max<std::int64_t>(1, kElements / problem.classes)),
        label_tiles_{problem.targets.elements(), kLabels} {}

  std::int64_t label_tiles() const { return label_tiles_.count(); }
  std::int64_t tiles(std::int64_t rows) const {
    return (rows + rows_per_tile_ - 1) / rows_per_tile_;
  }
  std::int64_t sums() const { return label_tiles() + blocks_ * tiles(block_); }
  bool reduced() const { return problem_.settings.reduction != Reduction::none; }

  void check_labels(std::int64_t tile, const LossBuffers<T>& buffers) const {
    const std::int64_t begin = label_tiles_.begin(tile);
    const std::int64_t end = label_tiles_.end(tile);
    const std::int64_t ignored = problem_.settings.ignore_index;
    const std::int64_t count = count_labels(buffers.labels + begin, end - begin, classes_, ignored);
    buffers.sums[tile] = static_cast<double>(count);
    for (std::int64_t line = begin; count < 0 && line < end; ++line) {
      if (buffers.labels[line] == ignored) continue;
      check_label("linear_cross_entropy", problem_.name, buffers.labels[line], line,
                  problem_.targets, classes_);
    }
  }

  /// The rows of a tile of a block, whose logits are `stride` apart; a gradient goes over them.
  void run(std::int64_t block, std::int64_t tile, std::int64_t rows, T* logits, std::int64_t stride,
           const LossBuffers<T>& buffers) const {
    const T common = reduced() && buffers.upstream != nullptr
                         ? static_cast<T>(static_cast<double>(*buffers.upstream) / divisor(buffers))
                         : T(0);
    const std::int64_t end = std::min(rows, (tile + 1) * rows_per_tile_);
    double total = 0;
    for (std::int64_t row = tile * rows_per_tile_; row < end; ++row) {
      const std::int64_t line = block * block_ + row;
      const T scale = reduced() || buffers.upstream == nullptr ? common : buffers.upstream[line];
      const double loss = run_row(line, logits + row * stride, scale, buffers);
      if (!reduced() && buffers.loss != nullptr) buffers.loss[line] = static_cast<T>(loss);
      total += loss;
    }
    buffers.sums[label_tiles() + block * tiles(block_) + tile] = total;
  }

  /// What the tiles' sums make of the loss.
  void add_losses(const LossBuffers<T>& buffers) const {
    const std::int64_t rows = label_tiles_.n;
    double total = 0;
    for (std::int64_t block = 0; block < blocks_; ++block) {
      const std::int64_t count = tiles(std::min(block_, rows - block * block_));
      for (std::int64_t i = 0; i < count; ++i) {
        total += buffers.sums[label_tiles() + block * tiles(block_) + i];
      }
    }
    *buffers.loss = static_cast<T>(total / divisor(buffers));
  }

 private:
  static constexpr std::int64_t kLabels = 16384;    // a tile
  static constexpr std::int64_t kElements = 16384;  // of logits a tile

  double divisor(const LossBuffers<T>& buffers) const {
    if (problem_.settings.reduction != Reduction::mean) return 1;
    double total = 0;
    for (std::int64_t i = 0; i < label_tiles(); ++i) total += buffers.sums[i];
    return total;
  }

  // Returns the row's loss, where it is asked for.
  double run_row(std::int64_t line, T* z, T scale, const LossBuffers<T>& buffers) const {
    const std::int64_t label = buffers.labels[line];
    const double smoothing = problem_.settings.label_smoothing;
    if (label == problem_.settings.ignore_index) {
      if (buffers.rest != nullptr) buffers.rest[line] = 0;
      if (buffers.upstream != nullptr) std::fill_n(z, classes_, T(0));
      return 0;
    }
    const auto certain = static_cast<T>(1 - smoothing);
    const LineTarget<T> target{.certain = certain,
                               .uniform = static_cast<T>(smoothing / static_cast<double>(classes_)),
                               .label = label,
                               .spike = certain};
    if (buffers.known_rest != nullptr) {
      row_gradient(z, classes_, target, buffers.known_rest[line], scale, true, z);
      return 0;
    }
    const LineLoss<T> loss = buffers.upstream != nullptr
                                 ? row_loss_and_gradient(z, classes_, target, scale, z)
                                 : row_loss(z, classes_, target);
    if (buffers.rest != nullptr) buffers.rest[line] = loss.rest;
    return loss.value(target.spike);
  }

  const LinearCrossEntropyProblem& problem_;
  std::int64_t classes_;
  std::int64_t block_;
  std::int64_t blocks_;
  std::int64_t rows_per_tile_;
  FlatTiles label_tiles_;
};

}  // namespace gradmill
