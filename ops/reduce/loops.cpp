#include <gradmill/ops/reduce/loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/reduce/loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

struct Sum {
  // The value that changes nothing.
  template <class T>
  static constexpr T kNeutral = 0;
  template <class D, class V>
  static HWY_INLINE V combine(D /*d*/, V a, V b) {
    return hn::Add(a, b);
  }
};

struct Max {
  template <class T>
  static constexpr T kNeutral = -std::numeric_limits<T>::infinity();
  template <class D, class V>
  static HWY_INLINE V combine(D d, V a, V b) {
    return max_of(d, a, b);
  }
};

// All lanes, in a fixed tree.
template <class F, class D, class V = hn::Vec<D>>
HWY_INLINE Lane<D> combine_lanes(D d, V v) {
  using T = Lane<D>;
  HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, d, lanes);
  const hn::CappedTag<T, 1> d1;
  for (std::size_t half = hn::Lanes(d) / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) {
      hn::StoreU(F::combine(d1, hn::LoadU(d1, lanes + i), hn::LoadU(d1, lanes + half + i)), d1,
                 lanes + i);
    }
  }
  return lanes[0];
}

// Four running results hide the latency; after a block they are added to the total and start again,
// which keeps the addends of one size.
template <class F, class T>
HWY_NOINLINE T row(const T* x, std::int64_t n) {
  constexpr std::int64_t kRounds = 32;
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto none = hn::Set(d, F::template kNeutral<T>);
  auto total = none;
  std::int64_t i = 0;
  while (i + 4 * lanes <= n) {
    auto s0 = none;
    auto s1 = none;
    auto s2 = none;
    auto s3 = none;
    for (std::int64_t k = 0; k < kRounds && i + 4 * lanes <= n; ++k, i += 4 * lanes) {
      s0 = F::combine(d, s0, hn::LoadU(d, x + i));
      s1 = F::combine(d, s1, hn::LoadU(d, x + i + lanes));
      s2 = F::combine(d, s2, hn::LoadU(d, x + i + 2 * lanes));
      s3 = F::combine(d, s3, hn::LoadU(d, x + i + 3 * lanes));
    }
    total = F::combine(d, total, F::combine(d, F::combine(d, s0, s1), F::combine(d, s2, s3)));
  }
  auto rest = none;
  for (; i + lanes <= n; i += lanes) rest = F::combine(d, rest, hn::LoadU(d, x + i));
  if (i < n) {
    rest = F::combine(d, rest, load_partial(d, x + i, n - i, F::template kNeutral<T>));
  }
  return combine_lanes<F>(d, F::combine(d, total, rest));
}

// Eight rows of a column as a tree, so that the running result in `y` is read and written an eighth
// as often and takes an eighth as many roundings.
template <class F, class D, class T = Lane<D>>
HWY_INLINE hn::Vec<D> eight_rows(D d, const T* x, std::int64_t stride) {
  const auto pair = [&](std::int64_t r) HWY_ATTR {
    return F::combine(d, hn::LoadU(d, x + r * stride), hn::LoadU(d, x + (r + 1) * stride));
  };
  return F::combine(d, F::combine(d, pair(0), pair(2)), F::combine(d, pair(4), pair(6)));
}

// Columns in whole vectors of D; returns how many columns that were.
template <class F, class D, class T = Lane<D>>
HWY_INLINE std::int64_t column_vectors(D d, const T* x, std::int64_t stride, std::int64_t rows,
                                       std::int64_t columns, T* y) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t end = columns - columns % lanes;
  for (std::int64_t c = 0; c < end; c += lanes) hn::StoreU(hn::LoadU(d, x + c), d, y + c);
  std::int64_t r = 1;
  for (; r + 8 <= rows; r += 8) {
    for (std::int64_t c = 0; c < end; c += lanes) {
      const auto eight = eight_rows<F>(d, x + r * stride + c, stride);
      hn::StoreU(F::combine(d, hn::LoadU(d, y + c), eight), d, y + c);
    }
  }
  for (; r < rows; ++r) {
    for (std::int64_t c = 0; c < end; c += lanes) {
      const auto value = hn::LoadU(d, x + r * stride + c);
      hn::StoreU(F::combine(d, hn::LoadU(d, y + c), value), d, y + c);
    }
  }
  return end;
}

template <class F, class T>
HWY_NOINLINE void columns_of(const T* x, std::int64_t stride, std::int64_t rows,
                             std::int64_t columns, T* y) {
  const std::int64_t done = column_vectors<F>(hn::ScalableTag<T>(), x, stride, rows, columns, y);
  column_vectors<F>(hn::CappedTag<T, 1>(), x + done, stride, rows, columns - done, y + done);
}

float sum_row_f32(const float* x, std::int64_t n) { return row<Sum>(x, n); }
double sum_row_f64(const double* x, std::int64_t n) { return row<Sum>(x, n); }
float max_row_f32(const float* x, std::int64_t n) { return row<Max>(x, n); }
double max_row_f64(const double* x, std::int64_t n) { return row<Max>(x, n); }

void sum_columns_f32(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                     float* y) {
  columns_of<Sum>(x, stride, rows, columns, y);
}
void sum_columns_f64(const double* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                     double* y) {
  columns_of<Sum>(x, stride, rows, columns, y);
}
void max_columns_f32(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                     float* y) {
  columns_of<Max>(x, stride, rows, columns, y);
}
void max_columns_f64(const double* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                     double* y) {
  columns_of<Max>(x, stride, rows, columns, y);
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(sum_row_f32);
HWY_EXPORT(sum_row_f64);
HWY_EXPORT(max_row_f32);
HWY_EXPORT(max_row_f64);
HWY_EXPORT(sum_columns_f32);
HWY_EXPORT(sum_columns_f64);
HWY_EXPORT(max_columns_f32);
HWY_EXPORT(max_columns_f64);

}  // namespace

float sum_row(const float* x, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(sum_row_f32)(x, n); }
double sum_row(const double* x, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(sum_row_f64)(x, n); }
float max_row(const float* x, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(max_row_f32)(x, n); }
double max_row(const double* x, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(max_row_f64)(x, n); }

void sum_columns(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                 float* y) {
  HWY_DYNAMIC_DISPATCH(sum_columns_f32)(x, stride, rows, columns, y);
}
void sum_columns(const double* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                 double* y) {
  HWY_DYNAMIC_DISPATCH(sum_columns_f64)(x, stride, rows, columns, y);
}
void max_columns(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                 float* y) {
  HWY_DYNAMIC_DISPATCH(max_columns_f32)(x, stride, rows, columns, y);
}
void max_columns(const double* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                 double* y) {
  HWY_DYNAMIC_DISPATCH(max_columns_f64)(x, stride, rows, columns, y);
}

}  // namespace gradmill
#endif
