// Internal: products of blocks that fit into the second-level cache, with one operand laid out in
// panels. Included once a target, like Highway's own -inl headers.

// clang-format off
#if defined(GRADMILL_OPS_ATTENTION_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_ATTENTION_PRODUCT_INL_H_
#undef GRADMILL_OPS_ATTENTION_PRODUCT_INL_H_
#else
#define GRADMILL_OPS_ATTENTION_PRODUCT_INL_H_
#endif
// clang-format on

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include <gradmill/ops/simd/transpose-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A strip is two vectors wide. So many rows of sums by one strip, two vectors of the right operand
// and an element of the left fill the registers.
template <class T>
constexpr std::int64_t kStrip = 2 * static_cast<std::int64_t>(hn::MaxLanes(hn::ScalableTag<T>()));
constexpr int kProductRows = HWY_TARGET <= HWY_AVX3 ? 12 : 6;

/// The left operand of a product: element (i, k) of part s is at data[s * part + i * step + k]
/// where it lies by rows, at data[i + k * step] (one part) where it lies by columns. The sum goes
/// over parts * depth elements.
template <class T>
struct Left {
  const T* data;
  std::int64_t step;
  std::int64_t depth;
  std::int64_t parts = 1;
  std::int64_t part = 0;
};

template <bool kByRows, int kRows, class T>
HWY_NOINLINE void product_tile(Left<T> a, const T* HWY_RESTRICT b, bool add, T* HWY_RESTRICT c,
                               std::int64_t c_row) {
  const hn::ScalableTag<T> d;
  constexpr std::int64_t kHalf = kStrip<T> / 2;
  hn::Vec<decltype(d)> left_sums[kRows];
  hn::Vec<decltype(d)> right_sums[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    left_sums[i] = hn::Zero(d);
    right_sums[i] = hn::Zero(d);
  }
  for (std::int64_t s = 0; s < a.parts; ++s) {
    const T* HWY_RESTRICT p = a.data + s * a.part;
    for (std::int64_t k = 0; k < a.depth; ++k) {
      const auto left = hn::Load(d, b);
      const auto right = hn::Load(d, b + kHalf);
      b += 2 * kHalf;
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const auto x = hn::Set(d, kByRows ? p[i * a.step] : p[i]);
        left_sums[i] = hn::MulAdd(x, left, left_sums[i]);
        right_sums[i] = hn::MulAdd(x, right, right_sums[i]);
      }
      p += kByRows ? 1 : a.step;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    T* row = c + i * c_row;
    if (add) {
      left_sums[i] = hn::Add(left_sums[i], hn::Load(d, row));
      right_sums[i] = hn::Add(right_sums[i], hn::Load(d, row + kHalf));
    }
    hn::Store(left_sums[i], d, row);
    hn::Store(right_sums[i], d, row + kHalf);
  }
}

template <bool kByRows, class T, int kRows = kProductRows>
HWY_INLINE void product_rows(int rows, const Left<T>& a, const T* b, bool add, T* c,
                             std::int64_t c_row) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return product_rows<kByRows, T, kRows - 1>(rows, a, b, add, c, c_row);
  }
  product_tile<kByRows, kRows>(a, b, add, c, c_row);
}

/// C = A B, or C += A B: `rows` rows, and as many strips as B has panels, each of which has its
/// part of every row one behind the other. Panels are `panel` elements apart.
template <bool kByRows, class T>
void product(const Left<T>& a, std::int64_t rows, const T* b, std::int64_t panel,
             std::int64_t panels, bool add, T* c, std::int64_t c_row) {
  for (std::int64_t j = 0; j < panels; ++j) {
    for (std::int64_t i = 0; i < rows;) {
      // Tiles of about equal height: short ones do not hide the latency of a sum.
      const std::int64_t left = rows - i;
      const std::int64_t tiles = (left + kProductRows - 1) / kProductRows;
      const std::int64_t height = (left + tiles - 1) / tiles;
      Left<T> part = a;
      part.data += kByRows ? i * a.step : i;
      product_rows<kByRows>(static_cast<int>(height), part, b + j * panel, add,
                            c + i * c_row + j * kStrip<T>, c_row);
      i += height;
    }
  }
}

/// Rows one behind the other.
template <class T>
void pack_dense(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t width, T* to) {
  for (std::int64_t i = 0; i < rows; ++i) std::copy_n(from + i * stride, width, to + i * width);
}

/// Panels for `product`, padded with zeros to whole strips, and to `padded_rows` rows.
template <class T>
void pack_panels(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t padded_rows,
                 std::int64_t width, T* to) {
  constexpr std::int64_t kWide = kStrip<T>;
  const hn::ScalableTag<T> d;
  for (std::int64_t j = 0; j < width; j += kWide) {
    const std::int64_t columns = std::min(kWide, width - j);
    for (std::int64_t i = 0; i < rows; ++i, to += kWide) {
      const T* row = from + i * stride + j;
      if (columns == kWide) {
        hn::Store(hn::LoadU(d, row), d, to);
        hn::Store(hn::LoadU(d, row + kWide / 2), d, to + kWide / 2);
      } else {
        std::copy_n(row, columns, to);
        std::fill_n(to + columns, kWide - columns, T(0));
      }
    }
    to = std::fill_n(to, (padded_rows - rows) * kWide, T(0));
  }
}

/// At most a strip of rows as the columns of one panel, times `factor`, padded with zeros.
template <class T>
void pack_strip(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t width, T factor,
                T* to) {
  constexpr std::int64_t kWide = kStrip<T>;
  std::int64_t whole = 0;
#if HWY_TARGET != HWY_SCALAR
  if (rows == kWide) {
    constexpr std::int64_t kSide = 16 / sizeof(T);
    const hn::FixedTag<T, kSide> d;
    const auto scale = hn::Set(d, factor);
    whole = width / kSide * kSide;
    for (std::int64_t i = 0; i < kWide; i += kSide) {
      for (std::int64_t k = 0; k < whole; k += kSide) {
        hn::Vec<decltype(d)> v[kSide];
        for (std::int64_t s = 0; s < kSide; ++s) v[s] = hn::LoadU(d, from + (i + s) * stride + k);
        transpose_blocks(d, v);
        for (std::int64_t s = 0; s < kSide; ++s) {
          hn::Store(hn::Mul(v[s], scale), d, to + (k + s) * kWide + i);
        }
      }
    }
  }
#endif
  for (std::int64_t k = whole; k < width; ++k) {
    T* column = to + k * kWide;
    for (std::int64_t i = 0; i < rows; ++i) column[i] = from[i * stride + k] * factor;
    std::fill_n(column + rows, kWide - rows, T(0));
  }
}

}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
