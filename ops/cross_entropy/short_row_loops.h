#pragma once

// The vector loops of cross-entropy for rows so short that a vector is better filled with one class
// of many rows than with the classes of one.

#include <cstddef>
#include <cstdint>

#include <gradmill/ops/cross_entropy/target.h>

namespace gradmill {

/// With at most this many classes, the transposition costs less than the part of a vector that a
/// row by itself leaves empty, and what it does once per row.
inline constexpr std::int64_t kShortRow = 64;

/// Rows one after the other, and what to compute from them. Pointers are null for what is not there
/// or not asked for.
template <class T>
struct ShortRows {
  std::int64_t count;
  std::int64_t classes;                  ///< at most kShortRow
  const T* logits;                       ///< [count, classes]
  const std::int64_t* labels = nullptr;  ///< [count], in range or `ignored`
  std::int64_t ignored = -1;
  LineTarget<T> target;         ///< of all rows: its label and label_weight are not used
  const T* upstream = nullptr;  ///< [count], instead of `scale`
  T scale = 0;
  bool subtract = true;      ///< false: the gradient's first term, p Q, alone
  bool with_loss = true;     ///< false: the gradient is all there is to compute
  T* loss = nullptr;         ///< [count]
  T* other_terms = nullptr;  ///< [count], as in LineLoss
  T* gradient = nullptr;     ///< [count, classes]; may be `logits`
  T* scratch = nullptr;      ///< of short_row_scratch<T>(classes) numbers, 64-byte aligned
};

/// Scratch numbers that short_rows needs: for each of two blocks, three arrays of as many rows as
/// the widest vector has lanes.
template <class T>
constexpr std::size_t short_row_scratch(std::int64_t classes) {
  return 6 * static_cast<std::size_t>(classes) * (64 / sizeof(T));
}

/// The sum of the rows' losses. A row's numbers do not depend on the rows beside it.
double short_rows(const ShortRows<float>& rows);
double short_rows(const ShortRows<double>& rows);

}  // namespace gradmill
