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

template <Reduction kind, class D, class V = hn::Vec<D>>
HWY_INLINE V combine(D d, V a, V b) {
  if constexpr (kind == Reduction::sum) return hn::Add(a, b);
  if constexpr (kind == Reduction::max) return max_of(d, a, b);
}

// The value that changes nothing.
template <Reduction kind, class T>
constexpr T neutral() {
  return kind == Reduction::sum ? T(0) : -std::numeric_limits<T>::infinity();
}

// All lanes, in a fixed tree.
template <Reduction kind, class D, class V = hn::Vec<D>>
HWY_INLINE Lane<D> combine_lanes(D d, V v) {
  using T = Lane<D>;
  HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, d, lanes);
  const hn::CappedTag<T, 1> d1;
  for (std::size_t half = hn::Lanes(d) / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) {
      hn::StoreU(combine<kind>(d1, hn::LoadU(d1, lanes + i), hn::LoadU(d1, lanes + half + i)), d1,
                 lanes + i);
    }
  }
  return lanes[0];
}

// Four running results hide the latency; after a block they are added to the total and start again,
// which keeps the addends of one size.
template <Reduction kind, class T>
HWY_NOINLINE T row(const T* x, std::int64_t n) {
  constexpr std::int64_t kRounds = 32;
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto none = hn::Set(d, neutral<kind, T>());
  auto total = none;
  std::int64_t i = 0;
  while (i + 4 * lanes <= n) {
    auto s0 = none;
    auto s1 = none;
    auto s2 = none;
    auto s3 = none;
    for (std::int64_t k = 0; k < kRounds && i + 4 * lanes <= n; ++k, i += 4 * lanes) {
      s0 = combine<kind>(d, s0, hn::LoadU(d, x + i));
      s1 = combine<kind>(d, s1, hn::LoadU(d, x + i + lanes));
      s2 = combine<kind>(d, s2, hn::LoadU(d, x + i + 2 * lanes));
      s3 = combine<kind>(d, s3, hn::LoadU(d, x + i + 3 * lanes));
    }
    total = combine<kind>(d, total,
                          combine<kind>(d, combine<kind>(d, s0, s1), combine<kind>(d, s2, s3)));
  }
  auto rest = none;
  for (; i + lanes <= n; i += lanes) rest = combine<kind>(d, rest, hn::LoadU(d, x + i));
  if (i < n) {
    rest = combine<kind>(d, rest, load_partial(d, x + i, n - i, neutral<kind, T>()));
  }
  return combine_lanes<kind>(d, combine<kind>(d, total, rest));
}

// Eight rows of a column as a tree, so that the running result in `y` is read and written an eighth
// as often and takes an eighth as many roundings.
template <Reduction kind, class D, class T = Lane<D>>
HWY_INLINE hn::Vec<D> eight_rows(D d, const T* x, std::int64_t stride) {
  const auto pair = [&](std::int64_t r) HWY_ATTR {
    return combine<kind>(d, hn::LoadU(d, x + r * stride), hn::LoadU(d, x + (r + 1) * stride));
  };
  return combine<kind>(d, combine<kind>(d, pair(0), pair(2)), combine<kind>(d, pair(4), pair(6)));
}

// Columns in whole vectors of D; returns how many columns that were.
template <Reduction kind, class D, class T = Lane<D>>
HWY_INLINE std::int64_t column_vectors(D d, const T* x, std::int64_t stride, std::int64_t rows,
                                       std::int64_t columns, T* y) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t end = columns - columns % lanes;
  for (std::int64_t c = 0; c < end; c += lanes) hn::StoreU(hn::LoadU(d, x + c), d, y + c);
  std::int64_t r = 1;
  for (; r + 8 <= rows; r += 8) {
    for (std::int64_t c = 0; c < end; c += lanes) {
      const auto eight = eight_rows<kind>(d, x + r * stride + c, stride);
      hn::StoreU(combine<kind>(d, hn::LoadU(d, y + c), eight), d, y + c);
    }
  }
  for (; r < rows; ++r) {
    for (std::int64_t c = 0; c < end; c += lanes) {
      const auto value = hn::LoadU(d, x + r * stride + c);
      hn::StoreU(combine<kind>(d, hn::LoadU(d, y + c), value), d, y + c);
    }
  }
  return end;
}

template <Reduction kind, class T>
HWY_NOINLINE void columns_of(const T* x, std::int64_t stride, std::int64_t rows,
                             std::int64_t columns, T* y) {
  const std::int64_t done = column_vectors<kind>(hn::ScalableTag<T>(), x, stride, rows, columns, y);
  column_vectors<kind>(hn::CappedTag<T, 1>(), x + done, stride, rows, columns - done, y + done);
}

template <class T>
T reduce(Reduction kind, const T* x, std::int64_t n) {
  return kind == Reduction::sum ? row<Reduction::sum>(x, n) : row<Reduction::max>(x, n);
}

template <class T>
void reduce(Reduction kind, const T* x, std::int64_t stride, std::int64_t rows,
            std::int64_t columns, T* y) {
  if (kind == Reduction::sum) {
    columns_of<Reduction::sum>(x, stride, rows, columns, y);
  } else {
    columns_of<Reduction::max>(x, stride, rows, columns, y);
  }
}

float row_f32(Reduction kind, const float* x, std::int64_t n) { return reduce(kind, x, n); }
double row_f64(Reduction kind, const double* x, std::int64_t n) { return reduce(kind, x, n); }
void columns_f32(Reduction kind, const float* x, std::int64_t stride, std::int64_t rows,
                 std::int64_t columns, float* y) {
  reduce(kind, x, stride, rows, columns, y);
}
void columns_f64(Reduction kind, const double* x, std::int64_t stride, std::int64_t rows,
                 std::int64_t columns, double* y) {
  reduce(kind, x, stride, rows, columns, y);
}

}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(row_f32);
HWY_EXPORT(row_f64);
HWY_EXPORT(columns_f32);
HWY_EXPORT(columns_f64);

}  // namespace

float reduce_row(Reduction kind, const float* x, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(row_f32)(kind, x, n);
}

double reduce_row(Reduction kind, const double* x, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(row_f64)(kind, x, n);
}

void reduce_columns(Reduction kind, const float* x, std::int64_t stride, std::int64_t rows,
                    std::int64_t columns, float* y) {
  HWY_DYNAMIC_DISPATCH(columns_f32)(kind, x, stride, rows, columns, y);
}

void reduce_columns(Reduction kind, const double* x, std::int64_t stride, std::int64_t rows,
                    std::int64_t columns, double* y) {
  HWY_DYNAMIC_DISPATCH(columns_f64)(kind, x, stride, rows, columns, y);
}

}  // namespace gradmill
#endif
