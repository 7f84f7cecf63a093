// Highway's math with the edges that it leaves open, and rows that end inside a vector.
// Included once per target, like Highway's own -inl headers.

// clang-format off
#if defined(GRADMILL_OPS_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_VECTOR_MATH_INL_H_
#undef GRADMILL_OPS_VECTOR_MATH_INL_H_
#else
#define GRADMILL_OPS_VECTOR_MATH_INL_H_
#endif
// clang-format on

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include <gradmill/ops/simd/exp-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
using Lane = hn::TFromD<D>;

// Highway counts AVX2 among those whose masked access may fault because AMD checks alignment there
// where a program turns such checks on, which none does that uses unaligned vectors.
#undef GRADMILL_PARTIAL_BY_COPY
#define GRADMILL_PARTIAL_BY_COPY (HWY_MEM_OPS_MIGHT_FAULT && HWY_TARGET != HWY_AVX2)

/// The first `count` < Lanes(d) elements at `p`, then `fill`. Touches nothing behind them.
template <class D>
HWY_INLINE hn::Vec<D> load_partial(D d, const Lane<D>* p, std::int64_t count, Lane<D> fill) {
#if GRADMILL_PARTIAL_BY_COPY
  HWY_ALIGN Lane<D> buffer[HWY_MAX_BYTES / sizeof(Lane<D>)];
  hn::Store(hn::Set(d, fill), d, buffer);
  std::copy_n(p, count, buffer);
  return hn::Load(d, buffer);
#else
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(count));
  return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, p), hn::Set(d, fill));
#endif
}

/// Writes the first `count` < Lanes(d) lanes only.
template <class D>
HWY_INLINE void store_partial(hn::Vec<D> v, D d, Lane<D>* p, std::int64_t count) {
#if GRADMILL_PARTIAL_BY_COPY
  HWY_ALIGN Lane<D> buffer[HWY_MAX_BYTES / sizeof(Lane<D>)];
  hn::Store(v, d, buffer);
  std::copy_n(buffer, count, p);
#else
  hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(count)), d, p);
#endif
}

/// e^x. Highway's is undefined where it should overflow; a little beyond that it still gives inf.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_of(D d, V x) {
  const V most = hn::Set(d, sizeof(Lane<D>) == 4 ? Lane<D>(100) : Lane<D>(720));
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, hn::Min(x, most)));
}

/// log x. Highway's is undefined for anything but positive finite numbers.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log_of(D d, V x) {
  using T = Lane<D>;
  const V inf = hn::Set(d, std::numeric_limits<T>::infinity());
  const V nan = hn::Set(d, std::numeric_limits<T>::quiet_NaN());
  const V zero = hn::Zero(d);
  const V finite = hn::IfThenElse(hn::Lt(x, inf), hn::Log(d, x), x);
  return hn::IfThenElse(hn::Gt(x, zero), finite,
                        hn::IfThenElse(hn::Eq(x, zero), hn::Neg(inf), nan));
}

/// 1 / (1 + e^-x) without overflow or cancellation on either side.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid_of(D d, V x) {
  const V one = hn::Set(d, Lane<D>(1));
  const V e = exp_of_nonpositive(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

/// The larger, and NaN where either is.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V max_of(D /*d*/, V a, V b) {
  return hn::IfThenElse(hn::Or(hn::Gt(b, a), hn::IsNaN(b)), b, a);
}

/// A row's vector of consecutive elements: load(row) fills what is behind the end with the loop's
/// number, load(row, fill) with another, and load.ones() is 1 before the end and 0 behind it.
template <class D>
struct FullLoad {
  using T = Lane<D>;
  HWY_INLINE hn::Vec<D> operator()(const T* row, T /*fill*/ = 0) const {
    return hn::LoadU(D(), row + i);
  }
  HWY_INLINE hn::Vec<D> ones() const { return hn::Set(D(), T(1)); }
  std::int64_t i;
};
template <class D>
struct PartialLoad {
  using T = Lane<D>;
  HWY_INLINE hn::Vec<D> operator()(const T* row) const { return (*this)(row, fill); }
  HWY_INLINE hn::Vec<D> operator()(const T* row, T other) const {
    return load_partial(D(), row + i, count, other);
  }
  HWY_INLINE hn::Vec<D> ones() const {
    const auto live = hn::FirstN(D(), static_cast<std::size_t>(count));
    return hn::IfThenElseZero(live, hn::Set(D(), T(1)));
  }
  std::int64_t i;
  std::int64_t count;
  T fill;
};

/// Calls body(load, store) for vectors of the consecutive elements [from, to), where load and store
/// take a row and leave out what is behind the end.
template <class D, class T, class Body>
HWY_INLINE void for_vectors(D d, std::int64_t from, std::int64_t to, T fill, Body body) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = from;
  for (; i + lanes <= to; i += lanes) {
    body(FullLoad<D>{i}, [=](auto v, T* row) HWY_ATTR { hn::StoreU(v, d, row + i); });
  }
  if (i < to) {
    body(PartialLoad<D>{i, to - i, fill},
         [=](auto v, T* row) HWY_ATTR { store_partial(v, d, row + i, to - i); });
  }
}

/// Of [0, n).
template <class D, class T, class Body>
HWY_INLINE void for_vectors(D d, std::int64_t n, T fill, Body body) {
  for_vectors(d, 0, n, fill, body);
}

/// Calls body(begin, end) for the blocks of [from, to): where many terms of one sign or size are
/// added up, a running sum starts again with each.
template <class D, class Body>
HWY_INLINE void for_blocks(D d, std::int64_t from, std::int64_t to, Body body) {
  const std::int64_t block = 64 * static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t begin = from; begin < to; begin += block) {
    body(begin, std::min(to, begin + block));
  }
}

/// The sums, one per lane, of term(load, store) over the vectors of [from, to), by blocks.
template <class D, class T, class Term>
HWY_INLINE hn::Vec<D> lane_sums(D d, std::int64_t from, std::int64_t to, T fill, Term term) {
  auto total = hn::Zero(d);
  for_blocks(d, from, to, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    auto running = hn::Zero(d);
    for_vectors(d, begin, end, fill, [&](auto load, auto store) HWY_ATTR {
      running = hn::Add(running, term(load, store));
    });
    total = hn::Add(total, running);
  });
  return total;
}

/// The sum of term(load, store) over the vectors of [0, n).
template <class D, class T, class Term>
HWY_INLINE T sum_of(D d, std::int64_t n, T fill, Term term) {
  return hn::GetLane(hn::SumOfLanes(d, lane_sums(d, 0, n, fill, term)));
}

/// The largest of a row; a NaN in it may or may not be seen. Four at a time, since each waits for
/// the one before.
template <class D, class T>
HWY_INLINE T row_max(D d, const T* x, std::int64_t n) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto most = hn::Set(d, kLowest);
  auto second = most;
  auto third = most;
  auto fourth = most;
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    most = hn::Max(most, hn::LoadU(d, x + i));
    second = hn::Max(second, hn::LoadU(d, x + i + lanes));
    third = hn::Max(third, hn::LoadU(d, x + i + 2 * lanes));
    fourth = hn::Max(fourth, hn::LoadU(d, x + i + 3 * lanes));
  }
  for_vectors(d, i, n, kLowest, [&](auto load, auto) HWY_ATTR { most = hn::Max(most, load(x)); });
  most = hn::Max(hn::Max(most, second), hn::Max(third, fourth));
  return hn::GetLane(hn::MaxOfLanes(d, most));
}

}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
