// Packing: parts of matrices, copied to where a product reads them in straight lines. Included once
// per target, like Highway's own -inl headers.

// clang-format off
#if defined(GRADMILL_OPS_MATMUL_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_MATMUL_PACK_INL_H_
#undef GRADMILL_OPS_MATMUL_PACK_INL_H_
#else
#define GRADMILL_OPS_MATMUL_PACK_INL_H_
#endif
// clang-format on

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include <gradmill/ops/simd/transpose-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// The columns of a panel, two vectors: one row of them lies behind the other, as the micro-kernel
/// reads them.
template <class T>
constexpr std::int64_t kPanelColumns =
    2 * static_cast<std::int64_t>(hn::MaxLanes(hn::ScalableTag<T>()));

template <class T>
constexpr std::int64_t kLineElements = 64 / sizeof(T);

template <class T>
HWY_INLINE void copy_row(const T* HWY_RESTRICT from, std::int64_t count, T* HWY_RESTRICT to) {
  constexpr std::int64_t kShort = 128;  // a call would take longer than what it does
  if (count > kShort) {
    std::copy_n(from, count, to);
    return;
  }
  const hn::ScalableTag<T> d;
  constexpr std::int64_t kLanes = kPanelColumns<T> / 2;
  std::int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) hn::StoreU(hn::LoadU(d, from + j), d, to + j);
  for (; j < count; ++j) to[j] = from[j];
}

/// to[k * width + j] = from[k * stride + j] for k < rows and j < columns.
template <class T>
void pack_straight(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                   T* to, std::int64_t width) {
  // The processor does not foresee jumps from row to row: what comes next is prefetched.
  constexpr std::int64_t kAhead = 12;
  for (std::int64_t k = 0; k < rows; ++k) {
    const T* row = from + k * stride;
    if (k + kAhead < rows) {
      for (std::int64_t j = 0; j < columns; j += kLineElements<T>) {
        hwy::Prefetch(row + kAhead * stride + j);
      }
    }
    copy_row(row, columns, to + k * width);
  }
}

/// to[k * width + j] = factor * from[j * stride + k] for k < rows and j < columns.
template <class T>
void pack_transposed(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                     T factor, T* to, std::int64_t width) {
  constexpr std::int64_t kSide = kBlockLanes<hn::ScalableTag<T>>;
  constexpr std::int64_t kLine = kLineElements<T>;
  const hn::FixedTag<T, kSide> d;
  const auto scale = hn::Set(d, factor);
  const std::int64_t squares = columns / kSide * kSide;
  std::int64_t k = 0;
  // A few lines of the source at a time, each read to its end before the next: they stay in the
  // cache.
  for (; k + kSide <= rows; k += kLine) {
    const std::int64_t end = std::min(rows - kSide, k + kLine - kSide);
    const bool more = k + 3 * kLine <= rows;
    for (std::int64_t j = 0; j < squares; j += kSide) {
      for (std::int64_t i = 0; more && i < kSide; ++i) {
        hwy::Prefetch(from + (j + i) * stride + k + 2 * kLine);
      }
      for (std::int64_t l = k; l <= end; l += kSide) {
        hn::Vec<decltype(d)> v[kSide];
        for (std::int64_t i = 0; i < kSide; ++i) v[i] = hn::LoadU(d, from + (j + i) * stride + l);
        transpose_blocks(d, v);
        for (std::int64_t i = 0; i < kSide; ++i) {
          hn::StoreU(hn::Mul(v[i], scale), d, to + (l + i) * width + j);
        }
      }
    }
  }
  const std::int64_t whole = rows / kSide * kSide;
  for (std::int64_t l = 0; l < rows; ++l) {
    for (std::int64_t j = l < whole ? squares : 0; j < columns; ++j) {
      to[l * width + j] = from[j * stride + l] * factor;
    }
  }
}

/// Panels of `padded_rows` rows each, the last columns and rows padded with zeros.
template <class T>
void pack_panels(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t padded_rows,
                 std::int64_t columns, T* to) {
  constexpr std::int64_t kWide = kPanelColumns<T>;
  constexpr std::int64_t kRows = 8;  // at a time: as many as are well read at once
  const hn::ScalableTag<T> d;
  for (std::int64_t k = 0; k < rows; k += kRows) {
    const std::int64_t end = std::min(rows, k + kRows);
    for (std::int64_t j = 0; j < columns; j += kWide) {
      const std::int64_t width = std::min(kWide, columns - j);
      for (std::int64_t i = k; i < end; ++i) {
        const T* row = from + i * stride + j;
        T* panel = to + j * padded_rows + i * kWide;
        if (width == kWide) {
          hn::Store(hn::LoadU(d, row), d, panel);
          hn::Store(hn::LoadU(d, row + kWide / 2), d, panel + kWide / 2);
        } else {
          std::fill(std::copy_n(row, width, panel), panel + kWide, T(0));
        }
      }
    }
  }
  for (std::int64_t j = 0; j < columns; j += kWide) {
    std::fill_n(to + j * padded_rows + rows * kWide, (padded_rows - rows) * kWide, T(0));
  }
}

/// One panel of `columns` columns at most a panel's, times `factor`, which are rows in `from`. The
/// other columns are zeros.
template <class T>
void pack_transposed_panel(const T* from, std::int64_t stride, std::int64_t columns,
                           std::int64_t rows, T factor, T* to) {
  constexpr std::int64_t kWide = kPanelColumns<T>;
  pack_transposed(from, stride, rows, columns, factor, to, kWide);
  if (columns == kWide) return;
  for (std::int64_t k = 0; k < rows; ++k) {
    std::fill_n(to + k * kWide + columns, kWide - columns, T(0));
  }
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
