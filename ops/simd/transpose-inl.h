// A vector of rows as vectors of columns, and back, so that each lane has a row of its own.
// Included once per target, like Highway's own -inl headers.

// clang-format off
#if defined(GRADMILL_OPS_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_TRANSPOSE_INL_H_
#undef GRADMILL_OPS_TRANSPOSE_INL_H_
#else
#define GRADMILL_OPS_TRANSPOSE_INL_H_
#endif
// clang-format on

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

template <class D>
constexpr std::int64_t kBlockLanes = 1;

template <class D, class V>
HWY_INLINE void transpose_blocks(D, V (&)[1]) {}

template <class D, class Body>
HWY_INLINE void for_columns(D d, const hn::TFromD<D>* rows, std::int64_t n, Body body) {
  for (std::int64_t j = 0; j < n; ++j) body(j, hn::Load(d, rows + j));
}

template <class D, class Column>
HWY_INLINE void store_columns(D d, std::int64_t n, hn::TFromD<D>* rows, Column column) {
  for (std::int64_t j = 0; j < n; ++j) hn::Store(column(j), d, rows + j);
}

#else

/// Lanes of 16 bytes, within which shuffles are cheap.
template <class D>
constexpr std::int64_t kBlockLanes = 16 / sizeof(hn::TFromD<D>);
template <class D>
constexpr std::int64_t kVectorBlocks =
    static_cast<std::int64_t>(hn::MaxLanes(D())) / kBlockLanes<D>;

/// Block b comes from p + b * step.
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const hn::TFromD<D>* p, std::int64_t step) {
  if constexpr (kVectorBlocks<D> == 1) {
    return hn::LoadU(d, p);
  } else {
    const hn::Half<D> half;
    const auto upper = load_blocks(half, p + kVectorBlocks<hn::Half<D> > * step, step);
    return hn::Combine(d, upper, load_blocks(half, p, step));
  }
}

/// Block b goes to p + b * step.
template <class D>
HWY_INLINE void store_blocks(hn::Vec<D> v, D d, hn::TFromD<D>* p, std::int64_t step) {
  if constexpr (kVectorBlocks<D> == 1) {
    hn::StoreU(v, d, p);
  } else {
    const hn::Half<D> half;
    store_blocks(hn::LowerHalf(half, v), half, p, step);
    store_blocks(hn::UpperHalf(half, v), half, p + kVectorBlocks<hn::Half<D> > * step, step);
  }
}

/// Element i of each block of vector k becomes element k of each block of vector i.
template <class D, class V = hn::Vec<D> >
HWY_INLINE void transpose_blocks(D d, V (&v)[kBlockLanes<D>]) {
  if constexpr (kBlockLanes<D> == 2) {
    const V first = hn::InterleaveLower(d, v[0], v[1]);
    v[1] = hn::InterleaveUpper(d, v[0], v[1]);
    v[0] = first;
  } else {
    const V lower_even = hn::InterleaveLower(d, v[0], v[2]);
    const V lower_odd = hn::InterleaveLower(d, v[1], v[3]);
    const V upper_even = hn::InterleaveUpper(d, v[0], v[2]);
    const V upper_odd = hn::InterleaveUpper(d, v[1], v[3]);
    v[0] = hn::InterleaveLower(d, lower_even, lower_odd);
    v[1] = hn::InterleaveUpper(d, lower_even, lower_odd);
    v[2] = hn::InterleaveLower(d, upper_even, upper_odd);
    v[3] = hn::InterleaveUpper(d, upper_even, upper_odd);
  }
}

/// Calls body(j, v) for each column j of Lanes(d) rows of n elements, one row behind the other:
/// lane r of v is element j of row r. Some columns come twice.
template <class D, class Body>
HWY_INLINE void for_columns(D d, const hn::TFromD<D>* rows, std::int64_t n, Body body) {
  constexpr std::int64_t kBlock = kBlockLanes<D>;
  if (n >= kBlock) {
    // The last columns are those that end where the rows end: nothing behind them is touched.
    for (std::int64_t next = 0; next < n; next += kBlock) {
      const std::int64_t first = std::min(next, n - kBlock);
      hn::Vec<D> v[kBlock];
      for (int k = 0; k < kBlock; ++k) v[k] = load_blocks(d, rows + k * n + first, kBlock * n);
      transpose_blocks(d, v);
      for (int k = 0; k < kBlock; ++k) body(first + k, v[k]);
    }
  } else if (n == 1) {
    body(0, hn::LoadU(d, rows));
  } else if constexpr (kBlock > 2) {
    hn::Vec<D> a = hn::Zero(d);
    hn::Vec<D> b = a;
    hn::Vec<D> c = a;
    if (n == 2) {
      hn::LoadInterleaved2(d, rows, a, b);
    } else {
      hn::LoadInterleaved3(d, rows, a, b, c);
    }
    body(0, a);
    body(1, b);
    if (n == 3) body(2, c);
  }
}

/// Writes Lanes(d) rows of n elements, one behind the other, from their columns column(j), which
/// are asked for once or twice.
template <class D, class Column>
HWY_INLINE void store_columns(D d, std::int64_t n, hn::TFromD<D>* rows, Column column) {
  constexpr std::int64_t kBlock = kBlockLanes<D>;
  if (n >= kBlock) {
    for (std::int64_t next = 0; next < n; next += kBlock) {
      const std::int64_t first = std::min(next, n - kBlock);
      hn::Vec<D> v[kBlock];
      for (int k = 0; k < kBlock; ++k) v[k] = column(first + k);
      transpose_blocks(d, v);
      for (int k = 0; k < kBlock; ++k) store_blocks(v[k], d, rows + k * n + first, kBlock * n);
    }
  } else if (n == 1) {
    hn::StoreU(column(0), d, rows);
  } else if constexpr (kBlock > 2) {
    if (n == 2) return hn::StoreInterleaved2(column(0), column(1), d, rows);
    hn::StoreInterleaved3(column(0), column(1), column(2), d, rows);
  }
}

#endif

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
