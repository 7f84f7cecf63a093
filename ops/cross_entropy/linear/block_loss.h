#pragma once

// Cross-entropy with labels, row by row, over logits of which one block is there at a time.

#include <algorithm>
#include <cstdint>
#include <span>

#include <gradmill/ops/cross_entropy/label_tiles.h>
#include <gradmill/ops/cross_entropy/linear/problem.h>
#include <gradmill/ops/cross_entropy/row_loops.h>
#include <gradmill/ops/cross_entropy/target.h>
#include <gradmill/ops/tiles/divide_up.h>

namespace gradmill {

/// The buffers of a node by what they mean; null where it has none.
template <class T>
struct BlockLossBuffers {
  const std::int64_t* labels;
  const T* known_other_terms = nullptr;
  const T* upstream = nullptr;
  T* loss = nullptr;
  T* other_terms = nullptr;
  double* label_totals;  ///< [label_tiles()]
  double* losses;        ///< [loss_sums()]: one per tile, added up in one order, whoever ran it
};

template <class T>
class BlockLoss {
 public:
  /// Each of `blocks` blocks of `block` rows is cut into tiles of its own.
  BlockLoss(const LinearCrossEntropyProblem& problem, std::int64_t block, std::int64_t blocks)
      : problem_(problem),
        classes_(problem.classes),
        block_(block),
        blocks_(blocks),
        rows_per_tile_(std::max<std::int64_t>(1, kElements / problem.classes)),
        labels_(problem.targets, problem.classes, problem.settings.ignore_index),
        reduced_(is_reduced(problem.settings.reduction)) {}

  std::int64_t label_tiles() const { return labels_.count(); }
  std::int64_t tiles(std::int64_t rows) const { return divide_up(rows, rows_per_tile_); }
  std::int64_t loss_sums() const { return blocks_ * tiles(block_); }
  bool reduced() const { return reduced_; }

  void check_labels(std::int64_t tile, const BlockLossBuffers<T>& buffers) const {
    buffers.label_totals[tile] =
        labels_.check_tile(tile, buffers.labels, static_cast<const T*>(nullptr));
  }

  /// The rows of a tile of a block, whose logits are `stride` apart; a gradient goes over them.
  void run(std::int64_t block, std::int64_t tile, std::int64_t rows, T* logits, std::int64_t stride,
           const BlockLossBuffers<T>& buffers) const {
    const LineScale<T> scale(buffers.upstream, reduced_, divisor(buffers));
    const std::int64_t end = std::min(rows, (tile + 1) * rows_per_tile_);
    double total = 0;
    for (std::int64_t row = tile * rows_per_tile_; row < end; ++row) {
      const std::int64_t line = block * block_ + row;
      const double loss = run_row(line, logits + row * stride, scale.of(line), buffers);
      if (!reduced_ && buffers.loss != nullptr) buffers.loss[line] = static_cast<T>(loss);
      total += loss;
    }
    buffers.losses[block * tiles(block_) + tile] = total;
  }

  /// What the tiles' sums make of the loss.
  void add_losses(const BlockLossBuffers<T>& buffers) const {
    const std::int64_t rows = problem_.targets.elements();
    double total = 0;
    for (std::int64_t block = 0; block < blocks_; ++block) {
      const std::int64_t count = tiles(std::min(block_, rows - block * block_));
      for (std::int64_t i = 0; i < count; ++i) total += buffers.losses[block * tiles(block_) + i];
    }
    *buffers.loss = static_cast<T>(total / divisor(buffers));
  }

 private:
  static constexpr std::int64_t kElements = 16384;  // of logits per tile

  double divisor(const BlockLossBuffers<T>& buffers) const {
    return loss_divisor(
        problem_.settings, problem_.targets.elements(),
        std::span<const double>(buffers.label_totals, static_cast<std::size_t>(label_tiles())));
  }

  // Returns the row's loss, where it is asked for.
  double run_row(std::int64_t line, T* z, T scale, const BlockLossBuffers<T>& buffers) const {
    const std::int64_t label = buffers.labels[line];
    const double smoothing = problem_.settings.label_smoothing;
    if (label == problem_.settings.ignore_index) {
      if (buffers.other_terms != nullptr) buffers.other_terms[line] = 0;
      if (buffers.upstream != nullptr) std::fill_n(z, classes_, T(0));
      return 0;
    }
    const auto certain = static_cast<T>(1 - smoothing);
    const LineTarget<T> target{.certain = certain,
                               .uniform = static_cast<T>(smoothing / static_cast<double>(classes_)),
                               .label = label,
                               .label_weight = certain};
    if (buffers.known_other_terms != nullptr) {
      row_gradient(z, classes_, target, buffers.known_other_terms[line], scale, true, z);
      return 0;
    }
    const LineLoss<T> loss = buffers.upstream != nullptr
                                 ? row_loss_and_gradient(z, classes_, target, scale, z)
                                 : row_loss(z, classes_, target);
    if (buffers.other_terms != nullptr) buffers.other_terms[line] = loss.other_terms;
    return loss.value(target.label_weight);
  }

  const LinearCrossEntropyProblem& problem_;
  std::int64_t classes_;
  std::int64_t block_;
  std::int64_t blocks_;
  std::int64_t rows_per_tile_;
  LabelTiles labels_;
  bool reduced_;
};

}  // namespace gradmill
