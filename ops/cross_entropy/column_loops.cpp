#include <gradmill/ops/cross_entropy/column_loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/cross_entropy/column_loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

constexpr std::int64_t kBlock = 64;  // classes that are added up before they go to the sum

// w_i (certain t_i + uniform) for class i of the lines that `load` loads.
template <class D, class Load, class T>
HWY_INLINE hn::Vec<D> spread_target(D d, const Load& load, const LineTarget<T>& target,
                                    std::int64_t i, std::int64_t stride) {
  const auto weight = hn::Set(d, target.weight != nullptr ? target.weight[i] : T(1));
  const auto uniform = hn::Set(d, target.uniform);
  if (target.probabilities == nullptr) return hn::Mul(weight, uniform);
  const auto t = load(target.probabilities + i * stride);
  return hn::Mul(weight, hn::MulAdd(hn::Set(d, target.certain), t, uniform));
}

// Adds up `terms` sums over the classes, sums[k], of what body(i, load, store, add) adds.
template <int terms, class T, class Body>
HWY_INLINE void sum_classes(const Columns& columns, const ColumnLines<T>& lines,
                            T* const (&sums)[terms], Body body) {
  const hn::ScalableTag<T> d;
  for (int k = 0; k < terms; ++k) {
    std::fill_n(sums[k], columns.count, T(0));
    std::fill_n(lines.block(k), columns.count, T(0));
  }
  for (std::int64_t i = 0; i < columns.classes; ++i) {
    for_vectors(d, columns.count, T(0), [&](auto load, auto store) HWY_ATTR {
      body(i, load, store, [&](int k, auto term) HWY_ATTR {
        store(hn::Add(load(lines.block(k)), term), lines.block(k));
      });
    });
    if ((i + 1) % kBlock != 0 && i + 1 != columns.classes) continue;
    for (int k = 0; k < terms; ++k) {
      for_vectors(d, columns.count, T(0), [&](auto load, auto store) HWY_ATTR {
        store(hn::Add(load(sums[k]), load(lines.block(k))), sums[k]);
        store(hn::Zero(d), lines.block(k));
      });
    }
  }
}

// The maxima, what belongs to the labels, and the sums over the targets that are spread out.
template <class T>
void start(const T* z, const Columns& columns, const LineTarget<T>& target,
           const ColumnLines<T>& lines) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  const hn::ScalableTag<T> d;
  std::fill_n(lines.max(), columns.count, kLowest);
  for (std::int64_t i = 0; i < columns.classes; ++i) {
    for_vectors(d, columns.count, T(0), [&](auto load, auto store) HWY_ATTR {
      store(hn::Max(load(lines.max()), load(z + i * columns.stride)), lines.max());
    });
  }
  for (std::int64_t c = 0; c < columns.count; ++c) {
    const std::int64_t label = lines.label_of(c);
    lines.offset()[c] = label < 0 ? kLowest : z[label * columns.stride + c] - lines.max()[c];
  }
  for_vectors(d, columns.count, T(0), [&](auto load, auto store) HWY_ATTR {
    store(exp_of_nonpositive(d, load(lines.offset())), lines.label_term());
  });
  if (!target.spread()) {
    std::fill_n(lines.spread(), columns.count, T(0));
    std::fill_n(lines.spread_of(), columns.count, T(0));
    return;
  }
  sum_classes<2>(columns, lines, {lines.spread(), lines.spread_of()},
                 [&](std::int64_t i, auto load, auto, auto add) HWY_ATTR {
                   const auto q = spread_target(d, load, target, i, columns.stride);
                   const auto x = hn::Sub(load(z + i * columns.stride), load(lines.max()));
                   add(0, q);
                   // A class that does not count adds nothing, whatever its logit.
                   add(1, hn::IfThenZeroElse(hn::Eq(q, hn::Zero(d)), hn::Mul(q, x)));
                 });
}

template <class T>
void loss(const T* z, const Columns& columns, const LineTarget<T>& target,
          const ColumnLines<T>& lines, T* e) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  using Label = typename ColumnLines<T>::Label;
  start(z, columns, target, lines);
  sum_classes<1>(columns, lines, {lines.other_terms()},
                 [&](std::int64_t i, auto load, auto store, auto add) HWY_ATTR {
                   const auto x = hn::Sub(load(z + i * columns.stride), load(lines.max()));
                   const auto term = exp_of_nonpositive(d, x);
                   if (e != nullptr) store(term, e + i * columns.stride);
                   const auto label = hn::BitCast(di, load(lines.label()));
                   const auto own = hn::Eq(label, hn::Set(di, static_cast<Label>(i)));
                   add(0, hn::IfThenZeroElse(hn::RebindMask(d, own), term));
                 });
}

// `e` holds the exponentials, or, with `raw`, the logits.
template <bool raw, class T>
void gradient(const T* e, const Columns& columns, const LineTarget<T>& target,
              const ColumnLines<T>& lines, bool subtract, T* dz) {
  const hn::ScalableTag<T> d;
  T* factor = lines.block(0);
  for (std::int64_t c = 0; c < columns.count; ++c) {
    const T s = lines.other_terms()[c] + lines.label_term()[c];
    factor[c] = (lines.label_weight()[c] + lines.spread()[c]) / s * lines.scale()[c];
  }
  for (std::int64_t i = 0; i < columns.classes; ++i) {
    const std::int64_t at = i * columns.stride;
    for_vectors(d, columns.count, T(0), [&](auto load, auto store) HWY_ATTR {
      auto value = load(e + at);
      if constexpr (raw) value = exp_of_nonpositive(d, hn::Sub(value, load(lines.max())));
      value = hn::Mul(value, load(factor));
      if (subtract && target.spread()) {
        const auto q = spread_target(d, load, target, i, columns.stride);
        value = hn::NegMulAdd(q, load(lines.scale()), value);
      }
      store(value, dz + at);
    });
  }
  if (!subtract) return;
  for (std::int64_t c = 0; c < columns.count; ++c) {
    const std::int64_t label = lines.label_of(c);
    if (label < 0) continue;
    LineTarget<T> own = target;
    own.label_weight = lines.label_weight()[c];
    const T weight = target.weight != nullptr ? target.weight[label] : T(1);
    dz[label * columns.stride + c] =
        label_gradient(own, lines.other_terms()[c], lines.label_term()[c], lines.spread()[c],
                       weight * target.uniform, lines.scale()[c]);
  }
}

void loss_f32(const float* z, const Columns& columns, const LineTarget<float>& target,
              const ColumnLines<float>& lines, float* e) {
  loss(z, columns, target, lines, e);
}
void loss_f64(const double* z, const Columns& columns, const LineTarget<double>& target,
              const ColumnLines<double>& lines, double* e) {
  loss(z, columns, target, lines, e);
}
void gradient_f32(const float* e, const Columns& columns, const LineTarget<float>& target,
                  const ColumnLines<float>& lines, float* dz) {
  gradient<false>(e, columns, target, lines, true, dz);
}
void gradient_f64(const double* e, const Columns& columns, const LineTarget<double>& target,
                  const ColumnLines<double>& lines, double* dz) {
  gradient<false>(e, columns, target, lines, true, dz);
}
void again_f32(const float* z, const Columns& columns, const LineTarget<float>& target,
               const ColumnLines<float>& lines, bool subtract, float* dz) {
  start(z, columns, target, lines);
  gradient<true>(z, columns, target, lines, subtract, dz);
}
void again_f64(const double* z, const Columns& columns, const LineTarget<double>& target,
               const ColumnLines<double>& lines, bool subtract, double* dz) {
  start(z, columns, target, lines);
  gradient<true>(z, columns, target, lines, subtract, dz);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {

HWY_EXPORT(loss_f32);
HWY_EXPORT(loss_f64);
HWY_EXPORT(gradient_f32);
HWY_EXPORT(gradient_f64);
HWY_EXPORT(again_f32);
HWY_EXPORT(again_f64);

void columns_loss(const float* z, const Columns& columns, const LineTarget<float>& target,
                  const ColumnLines<float>& lines, float* e) {
  HWY_DYNAMIC_DISPATCH(loss_f32)(z, columns, target, lines, e);
}
void columns_loss(const double* z, const Columns& columns, const LineTarget<double>& target,
                  const ColumnLines<double>& lines, double* e) {
  HWY_DYNAMIC_DISPATCH(loss_f64)(z, columns, target, lines, e);
}
void columns_gradient(const float* e, const Columns& columns, const LineTarget<float>& target,
                      const ColumnLines<float>& lines, float* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f32)(e, columns, target, lines, dz);
}
void columns_gradient(const double* e, const Columns& columns, const LineTarget<double>& target,
                      const ColumnLines<double>& lines, double* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f64)(e, columns, target, lines, dz);
}
void columns_gradient_again(const float* z, const Columns& columns, const LineTarget<float>& target,
                            const ColumnLines<float>& lines, bool subtract, float* dz) {
  HWY_DYNAMIC_DISPATCH(again_f32)(z, columns, target, lines, subtract, dz);
}
void columns_gradient_again(const double* z, const Columns& columns,
                            const LineTarget<double>& target, const ColumnLines<double>& lines,
                            bool subtract, double* dz) {
  HWY_DYNAMIC_DISPATCH(again_f64)(z, columns, target, lines, subtract, dz);
}

}  // namespace gradmill
#endif
