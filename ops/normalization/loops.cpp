#include <gradmill/ops/normalization/loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/normalization/loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

template <class T>
struct TwoSums {
  T first;
  T second;
};

// Two sums over the vectors of [0, n): add(load, store, first, second) adds its terms to them. Four
// running sums of each hide the latency; after a block they are added to the total and start again,
// which keeps the addends of one size. A sum that stays 0 costs nothing.
template <class D, class Add, class T = Lane<D>>
HWY_INLINE TwoSums<T> two_sums(D d, std::int64_t n, Add add) {
  constexpr std::int64_t kRounds = 32;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto first = hn::Zero(d);
  auto second = hn::Zero(d);
  const auto full = [&](std::int64_t i, auto& a, auto& b) HWY_ATTR {
    add(
        FullLoad<D>{i}, [=](auto v, T* row) HWY_ATTR { hn::StoreU(v, d, row + i); }, a, b);
  };
  std::int64_t i = 0;
  while (i + 4 * lanes <= n) {
    auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0;
    auto b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (std::int64_t k = 0; k < kRounds && i + 4 * lanes <= n; ++k, i += 4 * lanes) {
      full(i, a0, b0);
      full(i + lanes, a1, b1);
      full(i + 2 * lanes, a2, b2);
      full(i + 3 * lanes, a3, b3);
    }
    first = hn::Add(first, hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)));
    second = hn::Add(second, hn::Add(hn::Add(b0, b1), hn::Add(b2, b3)));
  }
  for_vectors(d, i, n, T(0),
              [&](auto load, auto store) HWY_ATTR { add(load, store, first, second); });
  return {hn::GetLane(hn::SumOfLanes(d, first)), hn::GetLane(hn::SumOfLanes(d, second))};
}

template <bool centered, class T>
HWY_NOINLINE void forward(const NormRows<T>& rows) {
  const hn::ScalableTag<T> d;
  const std::int64_t n = rows.n;
  const T count = static_cast<T>(n);
  for (std::int64_t row = 0; row < rows.rows; ++row) {
    const T* x = rows.x + row * n;
    T* y = rows.y + row * n;
    T mean = 0;
    T variance = 0;
    if constexpr (centered) {
      mean =
          two_sums(d, n, [&](auto load, auto, auto& a, auto&) HWY_ATTR { a = hn::Add(a, load(x)); })
              .first /
          count;
      const auto guess = hn::Set(d, mean);
      const TwoSums<T> sums = two_sums(d, n, [&](auto load, auto, auto& a, auto& b) HWY_ATTR {
        const auto difference = hn::Sub(load(x, mean), guess);
        a = hn::MulAdd(difference, difference, a);
        b = hn::Add(b, difference);
      });
      const T error = sums.second / count;
      variance = sums.first / count - error * error;
      if (variance < 0) variance = 0;  // by rounding; NaN stays
      mean += error;
      rows.mean[row] = mean;
    } else {
      variance = two_sums(d, n,
                          [&](auto load, auto, auto& a, auto&) HWY_ATTR {
                            const auto value = load(x);
                            a = hn::MulAdd(value, value, a);
                          })
                     .first /
                 count;
    }
    const T rstd = T(1) / std::sqrt(variance + static_cast<T>(rows.eps));
    rows.rstd[row] = rstd;
    const auto shift = hn::Set(d, mean);
    const auto scale = hn::Set(d, rstd);
    const auto write = [&](auto scaled) HWY_ATTR {
      for_vectors(d, n, T(0), [&](auto load, auto store) HWY_ATTR {
        auto h = load(x);
        if constexpr (centered) h = hn::Sub(h, shift);
        store(scaled(load, hn::Mul(h, scale)), y);
      });
    };
    if (rows.weight != nullptr && rows.bias != nullptr) {
      write([&](auto load, auto h)
                HWY_ATTR { return hn::MulAdd(h, load(rows.weight), load(rows.bias)); });
    } else if (rows.weight != nullptr) {
      write([&](auto load, auto h) HWY_ATTR { return hn::Mul(h, load(rows.weight)); });
    } else if (rows.bias != nullptr) {
      write([&](auto load, auto h) HWY_ATTR { return hn::Add(h, load(rows.bias)); });
    } else {
      write([&](auto, auto h) HWY_ATTR { return h; });
    }
  }
}

// Adds what a row adds to the sums over rows, and returns sum g h and sum g.
template <bool centered, bool weighted, bool dweight, bool dbias, class T, class V>
HWY_INLINE TwoSums<T> backward_sums(const NormBackwardRows<T>& rows, const T* dy, const T* x,
                                    V mean, V rstd) {
  const hn::ScalableTag<T> d;
  return two_sums(d, rows.n, [&](auto load, auto store, auto& a, auto& b) HWY_ATTR {
    const auto upstream = load(dy);
    auto h = load(x);
    if constexpr (centered) h = hn::Sub(h, mean);
    h = hn::Mul(h, rstd);
    if constexpr (dweight) store(hn::MulAdd(upstream, h, load(rows.dweight)), rows.dweight);
    if constexpr (dbias) store(hn::Add(upstream, load(rows.dbias)), rows.dbias);
    auto g = upstream;
    if constexpr (weighted) g = hn::Mul(g, load(rows.weight));
    a = hn::MulAdd(g, h, a);
    if constexpr (centered) b = hn::Add(b, g);
  });
}

template <bool centered, bool weighted, class T>
HWY_NOINLINE void backward(const NormBackwardRows<T>& rows) {
  const hn::ScalableTag<T> d;
  const std::int64_t n = rows.n;
  const T count = static_cast<T>(n);
  for (std::int64_t row = 0; row < rows.rows; ++row) {
    const T* dy = rows.dy + row * n;
    const T* x = rows.x + row * n;
    const auto mean = hn::Set(d, centered ? rows.mean[row] : T(0));
    const auto rstd = hn::Set(d, rows.rstd[row]);
    TwoSums<T> sums;
    if (rows.dweight != nullptr && rows.dbias != nullptr) {
      sums = backward_sums<centered, weighted, true, true>(rows, dy, x, mean, rstd);
    } else if (rows.dweight != nullptr) {
      sums = backward_sums<centered, weighted, true, false>(rows, dy, x, mean, rstd);
    } else if (rows.dbias != nullptr) {
      sums = backward_sums<centered, weighted, false, true>(rows, dy, x, mean, rstd);
    } else {
      sums = backward_sums<centered, weighted, false, false>(rows, dy, x, mean, rstd);
    }
    if (rows.dx == nullptr) continue;
    T* dx = rows.dx + row * n;
    const auto slope = hn::Set(d, sums.first / count);
    const auto level = hn::Set(d, sums.second / count);
    for_vectors(d, n, T(0), [&](auto load, auto store) HWY_ATTR {
      auto g = load(dy);
      auto h = load(x);
      if constexpr (centered) h = hn::Sub(h, mean);
      h = hn::Mul(h, rstd);
      if constexpr (weighted) g = hn::Mul(g, load(rows.weight));
      if constexpr (centered) g = hn::Sub(g, level);
      store(hn::Mul(hn::NegMulAdd(h, slope, g), rstd), dx);
    });
  }
}

template <class T>
void forward_of(const NormRows<T>& rows) {
  return rows.mean != nullptr ? forward<true>(rows) : forward<false>(rows);
}

template <class T>
void backward_of(const NormBackwardRows<T>& rows) {
  if (rows.mean != nullptr) {
    return rows.weight != nullptr ? backward<true, true>(rows) : backward<true, false>(rows);
  }
  return rows.weight != nullptr ? backward<false, true>(rows) : backward<false, false>(rows);
}

void forward_f32(const NormRows<float>& rows) { forward_of(rows); }
void forward_f64(const NormRows<double>& rows) { forward_of(rows); }
void backward_f32(const NormBackwardRows<float>& rows) { backward_of(rows); }
void backward_f64(const NormBackwardRows<double>& rows) { backward_of(rows); }

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_f64);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_f64);

}  // namespace

void normalize_rows(const NormRows<float>& rows) { HWY_DYNAMIC_DISPATCH(forward_f32)(rows); }
void normalize_rows(const NormRows<double>& rows) { HWY_DYNAMIC_DISPATCH(forward_f64)(rows); }

void normalize_rows_backward(const NormBackwardRows<float>& rows) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(rows);
}
void normalize_rows_backward(const NormBackwardRows<double>& rows) {
  HWY_DYNAMIC_DISPATCH(backward_f64)(rows);
}

}  // namespace gradmill
#endif
