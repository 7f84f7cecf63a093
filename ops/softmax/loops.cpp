#include <gradmill/ops/simd/targets.h>
#include <gradmill/ops/softmax/loops.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/softmax/loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

#include <cmath>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

// The four functions, by which the loops below differ.
struct Softmax {};
struct LogSoftmax {};
struct SoftmaxBackward {};
struct LogSoftmaxBackward {};

template <class F>
constexpr bool kIsSoftmax = std::is_same_v<F, Softmax>;
template <class F>
constexpr bool kIsLogSoftmax = std::is_same_v<F, LogSoftmax>;
template <class F>
constexpr bool kIsSoftmaxBackward = std::is_same_v<F, SoftmaxBackward>;

// log s from the terms of the largest elements, each 1, and the sum of the rest, of which a single
// largest element must not cost the digits.
template <class T>
T log_of_sum(T maxima, T rest) {
  return maxima == 1 ? std::log1p(rest) : std::log(maxima + rest);
}

template <class F, class T>
HWY_NOINLINE void row(const T* x, const T* dy, T* y, std::int64_t n) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  const hn::ScalableTag<T> d;
  if constexpr (kIsSoftmax<F> || kIsLogSoftmax<F>) {
    // A NaN need not be found here: it makes the sum NaN.
    const auto max_x = hn::Set(d, row_max(d, x, n));
    if constexpr (kIsSoftmax<F>) {
      const T sum = sum_of(d, n, kLowest, [&](auto load, auto store) HWY_ATTR {
        const auto e = exp_of_nonpositive(d, hn::Sub(load(x), max_x));
        store(e, y);
        return e;
      });
      const auto scale = hn::Set(d, T(1) / sum);
      for_vectors(d, n, T(0),
                  [&](auto load, auto store) HWY_ATTR { store(hn::Mul(load(y), scale), y); });
    } else {
      auto maxima = hn::Zero(d);
      const T rest = sum_of(d, n, kLowest, [&](auto load, auto) HWY_ATTR {
        const auto shifted = hn::Sub(load(x), max_x);
        const auto is_max = hn::Eq(shifted, hn::Zero(d));
        maxima = hn::Add(maxima, hn::IfThenElseZero(is_max, hn::Set(d, T(1))));
        return hn::IfThenZeroElse(is_max, exp_of_nonpositive(d, shifted));
      });
      const T count = hn::GetLane(hn::SumOfLanes(d, maxima));
      const auto log_sum = hn::Set(d, log_of_sum(count, rest));
      for_vectors(d, n, T(0), [&](auto load, auto store) HWY_ATTR {
        store(hn::Sub(hn::Sub(load(x), max_x), log_sum), y);
      });
    }
  } else if constexpr (kIsSoftmaxBackward<F>) {
    const T sum =
        sum_of(d, n, T(0), [&](auto load, auto) HWY_ATTR { return hn::Mul(load(x), load(dy)); });
    const auto dot = hn::Set(d, sum);
    for_vectors(d, n, T(0), [&](auto load, auto store) HWY_ATTR {
      store(hn::Mul(load(x), hn::Sub(load(dy), dot)), y);
    });
  } else {
    const T sum = sum_of(d, n, T(0), [&](auto load, auto) HWY_ATTR { return load(dy); });
    const auto total = hn::Set(d, sum);
    for_vectors(d, n, T(0), [&](auto load, auto store) HWY_ATTR {
      store(hn::NegMulAdd(exp_of_nonpositive(d, load(x)), total, load(dy)), y);
    });
  }
}

// The same for columns: the maxima, the sums, those of a block of rows, and how many elements are
// the largest are rows in `scratch`.
template <class F, class T>
HWY_NOINLINE void columns_of(const T* x, const T* dy, T* y, std::int64_t n, std::int64_t stride,
                             std::int64_t columns, T* scratch) {
  constexpr std::int64_t kRows = 64;
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  constexpr bool kForward = kIsSoftmax<F> || kIsLogSoftmax<F>;
  const hn::ScalableTag<T> d;
  T* max_x = scratch;
  T* sums = scratch + columns;
  T* block = scratch + 2 * columns;
  [[maybe_unused]] T* maxima = scratch + 3 * columns;
  std::fill_n(max_x, columns, kLowest);
  std::fill_n(sums, 3 * columns, T(0));
  const auto for_rows = [&](auto body) HWY_ATTR {
    for (std::int64_t i = 0; i < n; ++i) {
      for_vectors(d, columns, T(0), [&](auto load, auto store) HWY_ATTR {
        body(x + i * stride, kForward ? nullptr : dy + i * stride, y + i * stride, load, store);
      });
      if ((i + 1) % kRows != 0 && i + 1 != n) continue;
      for_vectors(d, columns, T(0), [&](auto load, auto store) HWY_ATTR {
        store(hn::Add(load(sums), load(block)), sums);
        store(hn::Zero(d), block);
      });
    }
  };
  if constexpr (kForward) {
    for_rows([&](const T* xi, const T*, T*, auto load, auto store)
                 HWY_ATTR { store(hn::Max(load(max_x), load(xi)), max_x); });
    for_rows([&](const T* xi, const T*, [[maybe_unused]] T* yi, auto load, auto store) HWY_ATTR {
      const auto shifted = hn::Sub(load(xi), load(max_x));
      auto e = exp_of_nonpositive(d, shifted);
      if constexpr (kIsSoftmax<F>) {
        store(e, yi);
      } else {
        const auto is_max = hn::Eq(shifted, hn::Zero(d));
        e = hn::IfThenZeroElse(is_max, e);
        const auto one = hn::IfThenElseZero(is_max, hn::Set(d, T(1)));
        store(hn::Add(load(maxima), one), maxima);
      }
      store(hn::Add(load(block), e), block);
    });
    for (std::int64_t c = 0; c < columns; ++c) {
      sums[c] = kIsSoftmax<F> ? T(1) / sums[c] : log_of_sum(maxima[c], sums[c]);
    }
  } else {
    for_rows([&](const T* xi, const T* dyi, T*, auto load, auto store) HWY_ATTR {
      auto term = load(dyi);
      if constexpr (kIsSoftmaxBackward<F>) term = hn::Mul(load(xi), term);
      store(hn::Add(load(block), term), block);
    });
  }
  for_rows([&](const T* xi, [[maybe_unused]] const T* dyi, T* yi, auto load, auto store) HWY_ATTR {
    if constexpr (kIsSoftmax<F>) {
      store(hn::Mul(load(yi), load(sums)), yi);
    } else if constexpr (kIsLogSoftmax<F>) {
      store(hn::Sub(hn::Sub(load(xi), load(max_x)), load(sums)), yi);
    } else if constexpr (kIsSoftmaxBackward<F>) {
      store(hn::Mul(load(xi), hn::Sub(load(dyi), load(sums))), yi);
    } else {
      store(hn::NegMulAdd(exp_of_nonpositive(d, load(xi)), load(sums), load(dyi)), yi);
    }
  });
}

template <class F, class T>
void lines(const T* x, const T* dy, T* y, std::int64_t n, std::int64_t stride, std::int64_t columns,
           T* scratch) {
  if (stride == 1) return row<F>(x, dy, y, n);
  columns_of<F>(x, dy, y, n, stride, columns, scratch);
}

template <class F>
SoftmaxLoops loops_of() {
  return {lines<F, float>, lines<F, double>};
}
SoftmaxLoops softmax_loops() { return loops_of<Softmax>(); }
SoftmaxLoops log_softmax_loops() { return loops_of<LogSoftmax>(); }
SoftmaxLoops softmax_backward_loops() { return loops_of<SoftmaxBackward>(); }
SoftmaxLoops log_softmax_backward_loops() { return loops_of<LogSoftmaxBackward>(); }

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(softmax_loops);
HWY_EXPORT(log_softmax_loops);
HWY_EXPORT(softmax_backward_loops);
HWY_EXPORT(log_softmax_backward_loops);

}  // namespace

constinit const SoftmaxFunction kSoftmax = {
    "softmax", [] { return HWY_DYNAMIC_DISPATCH(softmax_loops)(); }, false};
constinit const SoftmaxFunction kLogSoftmax = {
    "log_softmax", [] { return HWY_DYNAMIC_DISPATCH(log_softmax_loops)(); }, false};
constinit const SoftmaxFunction kSoftmaxBackward = {
    "softmax_backward", [] { return HWY_DYNAMIC_DISPATCH(softmax_backward_loops)(); }, true};
constinit const SoftmaxFunction kLogSoftmaxBackward = {
    "log_softmax_backward", [] { return HWY_DYNAMIC_DISPATCH(log_softmax_backward_loops)(); },
    true};

}  // namespace gradmill
#endif
