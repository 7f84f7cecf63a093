#include <gradmill/ops/attention/loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/attention/loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/matmul/micro_kernel-inl.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

#include <algorithm>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

// Everything is done a strip of queries at a time: a strip's scores have one row a key, one lane a
// query. So sums and maxima over keys need no shuffles, keys and values are read as they lie, and
// the scores of a block of keys stay in the first-level cache from the product that makes them to
// the one that reads them. A strip is what one panel of a product holds.
template <class T>
constexpr std::int64_t kStrip = kPanelColumns<T>;

constexpr OldSum last_if(bool add) { return add ? OldSum::last : OldSum::unused; }

// Of `keys` keys from key s0 on, how many some query of the strip from query q0 on sees.
template <class T>
std::int64_t visible_keys(const AttentionHead<T>& head, std::int64_t q0, std::int64_t s0,
                          std::int64_t keys) {
  if (!head.causal) return keys;
  return std::clamp<std::int64_t>(q0 + kStrip<T> - s0, 0, keys);
}

template <class T>
void hide(const AttentionHead<T>& head, std::int64_t q0, std::int64_t s0, std::int64_t visible,
          T* scores) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  if (head.mask != nullptr) {
    const std::int64_t queries = std::min(kStrip<T>, head.queries - q0);
    for (std::int64_t i = 0; i < queries; ++i) {
      const T* mask = head.mask + (q0 + i) * head.mask_row + s0 * head.mask_column;
      for (std::int64_t j = 0; j < visible; ++j) {
        scores[j * kStrip<T> + i] += mask[j * head.mask_column];
      }
    }
  }
  if (!head.causal) return;
  for (std::int64_t j = std::max<std::int64_t>(0, q0 + 1 - s0); j < visible; ++j) {
    std::fill_n(scores + j * kStrip<T>, s0 + j - q0, kLowest);
  }
}

// Scores become exp(s - m), with m the largest so far; `factor` is what that makes of what was
// added up with the m before.
template <class T>
HWY_NOINLINE void exponentials(std::int64_t keys, T* HWY_RESTRICT scores, T* most, T* sum,
                               T* factor) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr std::int64_t kHalf = kStrip<T> / 2;
  const V lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
  const V before[2] = {hn::Load(d, most), hn::Load(d, most + kHalf)};
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
    // -inf less -inf were NaN.
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
    hn::Store(f, d, factor + h * kHalf);
    hn::Store(m[h], d, most + h * kHalf);
    hn::Store(hn::MulAdd(hn::Load(d, sum + h * kHalf), f, sums[h]), d, sum + h * kHalf);
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
             T* numbers, T* scratch) {
  constexpr std::int64_t kWide = kStrip<T>;
  const std::int64_t e = attention_padded(head.width);
  const std::int64_t v = attention_padded(head.value_width);
  const std::int64_t panels = (head.value_width + kWide - 1) / kWide;
  T* queries = scratch;
  T* sums = queries + kAttentionQueries * e;
  T* most = sums + kAttentionQueries * v;
  T* total = most + kAttentionQueries;
  T* keys = total + kAttentionQueries;
  T* values = keys + kAttentionKeys * e;
  T* scores = values + kAttentionKeys * v;
  T* factor = scores + kAttentionKeys * 32;
  std::fill_n(most, kAttentionQueries, -std::numeric_limits<T>::infinity());
  std::fill_n(total, kAttentionQueries, T(0));
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
      exponentials(visible, scores, most + at, total + at, factor);
      if (s > 0) scale_rows(factor, kWide, panels * kWide, sums + at * v, v, sums + at * v, v);
      multiply_panels<false>(Left<T>{scores, kWide, visible}, kWide, values, n * kWide, panels,
                             last_if(s > 0), sums + at * v, v);
    }
  }
  for (std::int64_t i = 0; i < last - first; ++i) {
    const bool none = total[i] == 0;
    total[i] = none ? T(0) : T(1) / total[i];
    numbers[first + i] = none ? T(0) : most[i];
    numbers[head.queries + first + i] = total[i];
  }
  scale_rows(total, last - first, head.value_width, sums, v, result + first * head.result_row,
             head.result_row);
}

// What the backward pass needs of a block of queries.
template <class T>
struct QueryBlock {
  QueryBlock(const AttentionHead<T>& head, T*& scratch) {
    const std::int64_t e = kAttentionBackwardQueries * attention_padded(head.width);
    const std::int64_t v = kAttentionBackwardQueries * attention_padded(head.value_width);
    for (auto [to, size] : {std::pair{&strips, e}, std::pair{&panels, e},
                            std::pair{&upstream_strips, v}, std::pair{&upstream_panels, v}}) {
      *to = scratch;
      scratch += size;
    }
    for (T** to : {&most, &reciprocal, &dots}) {
      *to = scratch;
      scratch += kAttentionBackwardQueries;
    }
  }

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
      most[i] = head.numbers[first + i];
      reciprocal[i] = head.numbers[head.queries + first + i];
    }
    for (T* row : {most, reciprocal, dots}) std::fill_n(row + n, padded - n, T(0));
  }

  T* strips = nullptr;
  T* panels = nullptr;
  T* upstream_strips = nullptr;
  T* upstream_panels = nullptr;
  T* most = nullptr;
  T* reciprocal = nullptr;
  T* dots = nullptr;
};

// Scores become p = exp(s - m) / l, and their gradients dp become ds = p (dp - D).
template <class T>
HWY_NOINLINE void score_gradients(const QueryBlock<T>& block, std::int64_t at, std::int64_t keys,
                                  T* HWY_RESTRICT scores, T* HWY_RESTRICT gradients) {
  const hn::ScalableTag<T> d;
  constexpr std::int64_t kHalf = kStrip<T> / 2;
  const auto apply = [&](T* p, T* g, auto most, auto reciprocal, auto dot) HWY_ATTR {
    const auto e = exp_of_nonpositive(d, hn::Sub(hn::Load(d, p), most));
    const auto probability = hn::Mul(e, reciprocal);
    hn::Store(probability, d, p);
    hn::Store(hn::Mul(probability, hn::Sub(hn::Load(d, g), dot)), d, g);
  };
  const auto most0 = hn::Load(d, block.most + at);
  const auto most1 = hn::Load(d, block.most + at + kHalf);
  const auto reciprocal0 = hn::Load(d, block.reciprocal + at);
  const auto reciprocal1 = hn::Load(d, block.reciprocal + at + kHalf);
  const auto dot0 = hn::Load(d, block.dots + at);
  const auto dot1 = hn::Load(d, block.dots + at + kHalf);
  for (std::int64_t j = 0; j < keys * kStrip<T>; j += kStrip<T>) {
    apply(scores + j, gradients + j, most0, reciprocal0, dot0);
    apply(scores + j + kHalf, gradients + j + kHalf, most1, reciprocal1, dot1);
  }
}

// At most kAttentionKeys keys, from s0 on. `add`: the query sums are there already.
template <class T>
void backward_keys(const AttentionHead<T>& head, std::int64_t s0, std::int64_t n, bool add,
                   T* query_sums, T* key_gradient, T* value_gradient, T* scratch) {
  constexpr std::int64_t kWide = kStrip<T>;
  const std::int64_t e = attention_padded(head.width);
  const std::int64_t v = attention_padded(head.value_width);
  const std::int64_t width_panels = (head.width + kWide - 1) / kWide;
  const std::int64_t value_panels = (head.value_width + kWide - 1) / kWide;
  QueryBlock<T> block(head, scratch);
  T* scores = scratch;
  T* gradients = scores + kAttentionBackwardQueries * kAttentionKeys;
  T* keys = gradients + kAttentionBackwardQueries * kAttentionKeys;
  T* key_panels = keys + kAttentionKeys * e;
  T* key_sums = key_panels + kAttentionKeys * e;
  T* values = key_sums + kAttentionKeys * e;
  T* value_sums = values + kAttentionKeys * v;
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
              T* key_gradient, T* value_gradient, T* scratch) {
  for (std::int64_t s = first; s < last; s += kAttentionKeys) {
    backward_keys(head, s, std::min(kAttentionKeys, last - s), s > first, query_sums, key_gradient,
                  value_gradient, scratch);
  }
}

void forward_f32(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                 float* result, float* numbers, float* scratch) {
  forward(head, first, last, result, numbers, scratch);
}
void forward_f64(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                 double* result, double* numbers, double* scratch) {
  forward(head, first, last, result, numbers, scratch);
}
void backward_f32(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                  float* query_sums, float* key_gradient, float* value_gradient, float* scratch) {
  backward(head, first, last, query_sums, key_gradient, value_gradient, scratch);
}
void backward_f64(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                  double* query_sums, double* key_gradient, double* value_gradient,
                  double* scratch) {
  backward(head, first, last, query_sums, key_gradient, value_gradient, scratch);
}

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

void attention_forward(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                       float* result, float* numbers, float* scratch) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(head, first, last, result, numbers, scratch);
}
void attention_forward(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                       double* result, double* numbers, double* scratch) {
  HWY_DYNAMIC_DISPATCH(forward_f64)(head, first, last, result, numbers, scratch);
}

void attention_backward(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                        float* query_sums, float* key_gradient, float* value_gradient,
                        float* scratch) {
  HWY_DYNAMIC_DISPATCH(backward_f32)
  (head, first, last, query_sums, key_gradient, value_gradient, scratch);
}
void attention_backward(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                        double* query_sums, double* key_gradient, double* value_gradient,
                        double* scratch) {
  HWY_DYNAMIC_DISPATCH(backward_f64)
  (head, first, last, query_sums, key_gradient, value_gradient, scratch);
}

}  // namespace gradmill
#endif
