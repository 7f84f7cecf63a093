#include <gradmill/ops/attention/backward_loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/attention/backward_loops.cpp"
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

// What the backward pass needs of a block of queries.
template <class T>
struct QueryBlock {
  QueryBlock(const AttentionBackwardScratch<T>& parts, std::byte* scratch)
      : strips(parts.query_strips.in(scratch)),
        panels(parts.query_panels.in(scratch)),
        upstream_strips(parts.upstream_strips.in(scratch)),
        upstream_panels(parts.upstream_panels.in(scratch)),
        maxima(parts.maxima.in(scratch)),
        reciprocals(parts.reciprocals.in(scratch)),
        dots(parts.dots.in(scratch)) {}

  void load(const AttentionHead<T>& head, std::int64_t first, std::int64_t last) {
    constexpr std::int64_t kWide = kStrip<T>;
    const hn::ScalableTag<T> d;
    const std::int64_t n = last - first;
    const std::int64_t padded = (n + kWide - 1) / kWide * kWide;
    const T* query = head.query + first * head.query_row;
    const T* upstream = head.upstream + first * head.result_row;
    const T* result = head.result + first * head.result_row;
    for (std::int64_t i = 0; i < n; i += kWide) {
      const std::int64_t rows = std::min(kWide, n - i);
      pack_transposed_panel(query + i * head.query_row, head.query_row, rows, head.width,
                            head.scale, strips + i * head.width);
      pack_transposed_panel(upstream + i * head.result_row, head.result_row, rows, head.value_width,
                            T(1), upstream_strips + i * head.value_width);
    }
    pack_panels(query, head.query_row, n, padded, head.width, panels);
    pack_panels(upstream, head.result_row, n, padded, head.value_width, upstream_panels);
    for (std::int64_t i = 0; i < n; ++i) {
      const T* x = upstream + i * head.result_row;
      const T* y = result + i * head.result_row;
      dots[i] = sum_of(d, head.value_width, T(0),
                       [&](auto load, auto) HWY_ATTR { return hn::Mul(load(x), load(y)); });
      maxima[i] = head.statistics[first + i];
      reciprocals[i] = head.statistics[head.queries + first + i];
    }
    for (T* row : {maxima, reciprocals, dots}) std::fill_n(row + n, padded - n, T(0));
  }

  T* strips;
  T* panels;
  T* upstream_strips;
  T* upstream_panels;
  T* maxima;
  T* reciprocals;
  T* dots;
};

// Scores become p = exp(s - m) / l, and their gradients dp become ds = p (dp - D).
template <class T>
HWY_NOINLINE void score_gradients(const QueryBlock<T>& block, std::int64_t at, std::int64_t keys,
                                  T* HWY_RESTRICT scores, T* HWY_RESTRICT gradients) {
  const hn::ScalableTag<T> d;
  constexpr std::int64_t kHalf = kStrip<T> / 2;
  const auto apply = [&](T* p, T* g, auto maximum, auto reciprocal, auto dot) HWY_ATTR {
    const auto e = exp_of_nonpositive(d, hn::Sub(hn::Load(d, p), maximum));
    const auto probability = hn::Mul(e, reciprocal);
    hn::Store(probability, d, p);
    hn::Store(hn::Mul(probability, hn::Sub(hn::Load(d, g), dot)), d, g);
  };
  const auto maximum0 = hn::Load(d, block.maxima + at);
  const auto maximum1 = hn::Load(d, block.maxima + at + kHalf);
  const auto reciprocal0 = hn::Load(d, block.reciprocals + at);
  const auto reciprocal1 = hn::Load(d, block.reciprocals + at + kHalf);
  const auto dot0 = hn::Load(d, block.dots + at);
  const auto dot1 = hn::Load(d, block.dots + at + kHalf);
  for (std::int64_t j = 0; j < keys * kStrip<T>; j += kStrip<T>) {
    apply(scores + j, gradients + j, maximum0, reciprocal0, dot0);
    apply(scores + j + kHalf, gradients + j + kHalf, maximum1, reciprocal1, dot1);
  }
}

// At most kAttentionKeys keys, from s0 on. `add`: the query sums are there already.
template <class T>
void backward_keys(const AttentionHead<T>& head, std::int64_t s0, std::int64_t n, bool add,
                   T* query_sums, T* key_gradient, T* value_gradient, std::byte* scratch) {
  constexpr std::int64_t kWide = kStrip<T>;
  const std::int64_t e = attention_padded(head.width);
  const std::int64_t v = attention_padded(head.value_width);
  const std::int64_t width_panels = (head.width + kWide - 1) / kWide;
  const std::int64_t value_panels = (head.value_width + kWide - 1) / kWide;
  const AttentionBackwardScratch<T> parts(head.width, head.value_width);
  QueryBlock<T> block(parts, scratch);
  T* scores = parts.scores.in(scratch);
  T* gradients = parts.gradients.in(scratch);
  T* keys = parts.keys.in(scratch);
  T* key_panels = parts.key_panels.in(scratch);
  T* key_sums = parts.key_sums.in(scratch);
  T* values = parts.values.in(scratch);
  T* value_sums = parts.value_sums.in(scratch);
  pack_straight(head.key + s0 * head.key_row, head.key_row, n, head.width, keys, head.width);
  pack_straight(head.value + s0 * head.value_row, head.value_row, n, head.value_width, values,
                head.value_width);
  pack_panels(head.key + s0 * head.key_row, head.key_row, n, n, head.width, key_panels);
  std::fill_n(key_sums, n * e, T(0));
  std::fill_n(value_sums, n * v, T(0));
  const std::int64_t part = n * kWide;
  for (std::int64_t q = head.causal ? s0 : 0; q < head.queries; q += kAttentionBackwardQueries) {
    const std::int64_t last = std::min(head.queries, q + kAttentionBackwardQueries);
    const std::int64_t strips = (last - q + kWide - 1) / kWide;
    const std::int64_t seen = visible_keys(head, q + (strips - 1) * kWide, s0, n);
    block.load(head, q, last);
    for (std::int64_t i = 0; i < strips; ++i) {
      const std::int64_t at = i * kWide;
      const std::int64_t visible = visible_keys(head, q + at, s0, n);
      T* p = scores + i * part;
      T* ds = gradients + i * part;
      multiply_panels<true>(Left<T>{keys, head.width, head.width}, visible,
                            block.strips + at * head.width, 0, 1, OldSum::unused, p, kWide);
      multiply_panels<true>(Left<T>{values, head.value_width, head.value_width}, visible,
                            block.upstream_strips + at * head.value_width, 0, 1, OldSum::unused, ds,
                            kWide);
      hide(head, q + at, s0, visible, p);
      score_gradients(block, at, visible, p, ds);
      multiply_panels<false>(Left<T>{ds, kWide, visible}, kWide, key_panels, part, width_panels,
                             last_if(add), query_sums + (q + at) * e, e);
      std::fill_n(p + visible * kWide, (seen - visible) * kWide, T(0));
      std::fill_n(ds + visible * kWide, (seen - visible) * kWide, T(0));
    }
    multiply_panels<true>(Left<T>{scores, kWide, kWide, strips, part}, seen, block.upstream_panels,
                          strips * kWide * kWide, value_panels, OldSum::last, value_sums, v);
    multiply_panels<true>(Left<T>{gradients, kWide, kWide, strips, part}, seen, block.panels,
                          strips * kWide * kWide, width_panels, OldSum::last, key_sums, e);
  }
  const hn::ScalableTag<T> d;
  const auto scale = hn::Set(d, head.scale);
  for (std::int64_t i = 0; i < n; ++i) {
    const T* sums = key_sums + i * e;
    T* to = key_gradient + (s0 + i) * head.key_row;
    for_vectors(d, head.width, T(0),
                [&](auto load, auto store) HWY_ATTR { store(hn::Mul(load(sums), scale), to); });
    std::copy_n(value_sums + i * v, head.value_width, value_gradient + (s0 + i) * head.value_row);
  }
}

template <class T>
void backward(const AttentionHead<T>& head, std::int64_t first, std::int64_t last, T* query_sums,
              T* key_gradient, T* value_gradient, std::byte* scratch) {
  for (std::int64_t s = first; s < last; s += kAttentionKeys) {
    backward_keys(head, s, std::min(kAttentionKeys, last - s), s > first, query_sums, key_gradient,
                  value_gradient, scratch);
  }
}

void backward_f32(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                  float* query_sums, float* key_gradient, float* value_gradient,
                  std::byte* scratch) {
  backward(head, first, last, query_sums, key_gradient, value_gradient, scratch);
}
void backward_f64(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                  double* query_sums, double* key_gradient, double* value_gradient,
                  std::byte* scratch) {
  backward(head, first, last, query_sums, key_gradient, value_gradient, scratch);
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_f64);

}  // namespace

void attention_backward(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                        float* query_sums, float* key_gradient, float* value_gradient,
                        std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(backward_f32)
  (head, first, last, query_sums, key_gradient, value_gradient, scratch);
}
void attention_backward(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                        double* query_sums, double* key_gradient, double* value_gradient,
                        std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(backward_f64)
  (head, first, last, query_sums, key_gradient, value_gradient, scratch);
}

}  // namespace gradmill
#endif
