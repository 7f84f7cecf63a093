#pragma once

// The vector loops of cross-entropy where lines of classes lie side by side, as in [B, C, d1, ...]:
// each lane is a line of its own.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <gradmill/ops/cross_entropy/target.h>

namespace gradmill {

/// Class i of line c is element i * stride + c.
struct Columns {
  std::int64_t classes;
  std::int64_t stride;
  std::int64_t count;
};

/// What is known of each line: rows of Columns::count numbers in a tile's scratch.
template <class T>
class ColumnLines {
 public:
  using Label = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  static constexpr std::size_t kRows = 11;

  ColumnLines(T* scratch, std::int64_t count) : scratch_(scratch), count_(count) {}

  // Set by the caller.
  T* label() const { return row(0); }  ///< the bits of a Label, -1 for none
  T* label_weight() const { return row(1); }
  T* scale() const { return row(2); }
  // Computed, as in LineLoss; `max` is m.
  T* max() const { return row(3); }
  T* offset() const { return row(4); }
  T* label_term() const { return row(5); }
  T* other_terms() const { return row(6); }
  T* spread() const { return row(7); }
  T* spread_of() const { return row(8); }
  /// The sums of one block of classes.
  T* block(int i) const { return row(9 + i); }

  Label label_of(std::int64_t c) const { return std::bit_cast<Label>(label()[c]); }
  LineLoss<T> loss(std::int64_t c) const {
    return {other_terms()[c], label_term()[c], offset()[c], spread()[c], spread_of()[c]};
  }

 private:
  T* row(int i) const { return scratch_ + i * count_; }

  T* scratch_;
  std::int64_t count_;
};

/// Fills in what the lines' losses are made of. Of `target`, label and label_weight are those of
/// the lines. With `e`, the exponentials are kept there; it may be `z`.
void columns_loss(const float* z, const Columns& columns, const LineTarget<float>& target,
                  const ColumnLines<float>& lines, float* e);
void columns_loss(const double* z, const Columns& columns, const LineTarget<double>& target,
                  const ColumnLines<double>& lines, double* e);

/// The gradients after `columns_loss`, from the exponentials; `dz` may be `e`.
void columns_gradient(const float* e, const Columns& columns, const LineTarget<float>& target,
                      const ColumnLines<float>& lines, float* dz);
void columns_gradient(const double* e, const Columns& columns, const LineTarget<double>& target,
                      const ColumnLines<double>& lines, double* dz);

/// The gradients from the logits and `other_terms`, which the caller has set; without `subtract`
/// only p_j Q * scale. `dz` may be `z`.
void columns_gradient_again(const float* z, const Columns& columns, const LineTarget<float>& target,
                            const ColumnLines<float>& lines, bool subtract, float* dz);
void columns_gradient_again(const double* z, const Columns& columns,
                            const LineTarget<double>& target, const ColumnLines<double>& lines,
                            bool subtract, double* dz);

}  // namespace gradmill
