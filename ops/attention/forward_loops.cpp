#include <gradmill/ops/attention/forward_loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/attention/forward_loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/matmul/micro_kernel-inl.h>
#include <gradmill/ops/attention/scores-inl.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

#include <algorithm>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

// Scores become exp(s - m), with m the largest so far and `totals` their sum. What was added up
// with the m before is to be multiplied by `factors`.
template <class T>
HWY_NOINLINE void exponentials(std::int64_t keys, T* HWY_RESTRICT scores, T* maxima, T* totals,
                               T* factors) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr std::int64_t kHalf = kStrip<T> / 2;
  const V lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
  const V before[2] = {hn::Load(d, maxima), hn::Load(d, maxima + kHalf)};
  V m[2] = {before[0], before[1]};
  V odd[2] = {lowest, lowest};
  std::int64_t j = 0;
  for (; j + 2 <= keys; j += 2) {
    const T* row = scores + j * kStrip<T>;
    m[0] = hn::Max(m[0], hn::Load(d, row));
    m[1] = hn::Max(m[1], hn::Load(d, row + kHalf));
    odd[0] = hn::Max(odd[0], hn::Load(d, row + 2 * kHalf));
    odd[1] = hn::Max(odd[1], hn::Load(d, row + 3 * kHalf));
  }
  V base[2];
  V sums[2];
  for (int h = 0; h < 2; ++h) {
    m[h] = hn::Max(m[h], odd[h]);
    if (j < keys) m[h] = hn::Max(m[h], hn::Load(d, scores + j * kStrip<T> + h * kHalf));
    // -inf minus -inf would be NaN.
    base[h] = hn::IfThenElse(hn::Eq(m[h], lowest), hn::Zero(d), m[h]);
    sums[h] = hn::Zero(d);
  }
  for (std::int64_t k = 0; k < keys; ++k) {
    T* row = scores + k * kStrip<T>;
    const V left = exp_of_nonpositive(d, hn::Sub(hn::Load(d, row), base[0]));
    const V right = exp_of_nonpositive(d, hn::Sub(hn::Load(d, row + kHalf), base[1]));
    hn::Store(left, d, row);
    hn::Store(right, d, row + kHalf);
    sums[0] = hn::Add(sums[0], left);
    sums[1] = hn::Add(sums[1], right);
  }
  for (int h = 0; h < 2; ++h) {
    const V f = exp_of_nonpositive(d, hn::Sub(before[h], base[h]));
    hn::Store(f, d, factors + h * kHalf);
    hn::Store(m[h], d, maxima + h * kHalf);
    hn::Store(hn::MulAdd(hn::Load(d, totals + h * kHalf), f, sums[h]), d, totals + h * kHalf);
  }
}

// Row i times factors[i].
template <class T>
void scale_rows(const T* factors, std::int64_t rows, std::int64_t width, const T* from,
                std::int64_t from_row, T* to, std::int64_t to_row) {
  const hn::ScalableTag<T> d;
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto factor = hn::Set(d, factors[i]);
    const T* x = from + i * from_row;
    T* y = to + i * to_row;
    for_vectors(d, width, T(0),
                [&](auto load, auto store) HWY_ATTR { store(hn::Mul(load(x), factor), y); });
  }
}

template <class T>
void forward(const AttentionHead<T>& head, std::int64_t first, std::int64_t last, T* result,
             T* statistics, std::byte* scratch) {
  constexpr std::int64_t kWide = kStrip<T>;
  const std::int64_t e = attention_padded(head.width);
  const std::int64_t v = attention_padded(head.value_width);
  const std::int64_t panels = (head.value_width + kWide - 1) / kWide;
  const AttentionScratch<T> parts(head.width, head.value_width);
  T* queries = parts.queries.in(scratch);
  T* sums = parts.sums.in(scratch);
  T* maxima = parts.maxima.in(scratch);
  T* totals = parts.totals.in(scratch);
  T* keys = parts.keys.in(scratch);
  T* values = parts.values.in(scratch);
  T* scores = parts.scores.in(scratch);
  T* factors = parts.factors.in(scratch);
  std::fill_n(maxima, kAttentionQueries, -std::numeric_limits<T>::infinity());
  std::fill_n(totals, kAttentionQueries, T(0));
  for (std::int64_t q = first; q < last; q += kWide) {
    pack_transposed_panel(head.query + q * head.query_row, head.query_row,
                          std::min(kWide, last - q), head.width, head.scale,
                          queries + (q - first) * e);
  }
  const std::int64_t end = head.causal ? std::min(head.keys, last) : head.keys;
  for (std::int64_t s = 0; s < end; s += kAttentionKeys) {
    const std::int64_t n = std::min(kAttentionKeys, end - s);
    pack_straight(head.key + s * head.key_row, head.key_row, n, head.width, keys, head.width);
    pack_panels(head.value + s * head.value_row, head.value_row, n, n, head.value_width, values);
    for (std::int64_t q = first; q < last; q += kWide) {
      const std::int64_t visible = visible_keys(head, q, s, n);
      if (visible == 0) continue;
      const std::int64_t at = q - first;
      multiply_panels<true>(Left<T>{keys, head.width, head.width}, visible, queries + at * e, 0, 1,
                            OldSum::unused, scores, kWide);
      hide(head, q, s, visible, scores);
      exponentials(visible, scores, maxima + at, totals + at, factors);
      if (s > 0) scale_rows(factors, kWide, panels * kWide, sums + at * v, v, sums + at * v, v);
      multiply_panels<false>(Left<T>{scores, kWide, visible}, kWide, values, n * kWide, panels,
                             last_if(s > 0), sums + at * v, v);
    }
  }
  for (std::int64_t i = 0; i < last - first; ++i) {
    const bool none = totals[i] == 0;
    totals[i] = none ? T(0) : T(1) / totals[i];
    statistics[first + i] = none ? T(0) : maxima[i];
    statistics[head.queries + first + i] = totals[i];
  }
  scale_rows(totals, last - first, head.value_width, sums, v, result + first * head.result_row,
             head.result_row);
}

void forward_f32(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                 float* result, float* statistics, std::byte* scratch) {
  forward(head, first, last, result, statistics, scratch);
}
void forward_f64(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                 double* result, double* statistics, std::byte* scratch) {
  forward(head, first, last, result, statistics, scratch);
}
}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_f64);

}  // namespace

void attention_forward(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                       float* result, float* statistics, std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(head, first, last, result, statistics, scratch);
}
void attention_forward(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                       double* result, double* statistics, std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(forward_f64)(head, first, last, result, statistics, scratch);
}

}  // namespace gradmill
#endif
