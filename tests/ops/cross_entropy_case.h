#pragma once

#include <gradmill/ops/cross_entropy.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "support/generators.h"

namespace gradmill {

/// One call of cross_entropy that RapidCheck draws, and the loss that its definition gives.
struct CrossEntropyCase {
  Shape shape;  ///< of the logits: [B, C] or [B, C, d1, ...]
  DType dtype = DType::f32;
  Array logits;
  std::vector<std::int64_t> labels;    ///< one per row, the rows in the order of [B, d1, ...]
  std::optional<Array> probabilities;  ///< the targets, instead of labels
  std::optional<Array> weight;         ///< [C], positive
  double smoothing = 0;
  std::int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;

  std::int64_t classes() const { return shape[1]; }
  std::int64_t rows() const { return shape.elements() / classes(); }
  Shape row_shape() const;     ///< [B, d1, ...]
  Shape result_shape() const;  ///< that with `Reduction::none`, otherwise []
  /// The element of the logits that is class `c` of row `r`.
  std::int64_t at(std::int64_t r, std::int64_t c) const;
  bool ignored(std::int64_t r) const {
    return !probabilities && labels[static_cast<std::size_t>(r)] == ignore_index;
  }

  /// The logits, then probabilities and weight where there are some.
  std::vector<Array> inputs() const;
  Builder build() const;
  Array loss() const { return computed(build(), inputs(), dtype); }
  /// The gradient for the logits, or for input `k`.
  Array gradient(const Array& upstream, std::size_t k = 0) const;
  /// That for the logits without an upstream, as a training step asks for it.
  Array loss_gradient() const;

  /// q_j of the header: what class `c` counts for in row `r`.
  double target(std::int64_t r, std::int64_t c) const;
  /// The sum of the weights of the rows' labels, or the number of rows for probabilities; 1 where
  /// nothing is divided.
  double divisor() const;
};

/// What to draw, besides shape, dtype, logits and labels.
struct CrossEntropyChoice {
  bool probabilities = false, weight = false, smoothing = false, ignored = false;
};
inline constexpr CrossEntropyChoice kPlain{};
inline constexpr CrossEntropyChoice kEveryOption{true, true, true, true};

/// Logits are in [-8, 8]. Probabilities are in [0, 1] and sum to 1. At least one row counts.
CrossEntropyCase drawn_cross_entropy(CrossEntropyChoice choice, Reduction reduction);
Reduction drawn_reduction();

/// The call whose row r is row rows[r] of `tested`, for logits [B, C].
CrossEntropyCase picked(const CrossEntropyCase& tested, const std::vector<std::int64_t>& rows);
/// The same rows as logits [R, C].
CrossEntropyCase flattened(const CrossEntropyCase& tested);

/// A result and how far a kernel may be from it.
struct Bounded {
  Array value;
  Array bound;
};
/// By one obvious loop over rows and classes, in double precision.
Bounded reference_loss(const CrossEntropyCase& tested);
/// The gradient for the logits.
Bounded reference_gradient(const CrossEntropyCase& tested, const Array& upstream);

}  // namespace gradmill
