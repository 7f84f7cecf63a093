#include <gradmill/ops/cross_entropy_rows.h>
#include <gradmill/ops/simd.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/cross_entropy_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/vector_math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

// Lanes behind a row's end, so that they add nothing to a sum of exponentials.
template <class T>
constexpr T kNothing = -std::numeric_limits<T>::infinity();

template <class T>
HWY_INLINE T exp_of_one(T x) {
  const hn::ScalableTag<T> d;
  return hn::GetLane(exp_of_nonpositive(d, hn::Set(d, x)));
}

// w_j (certain t_j + uniform); 0 behind the row's end.
template <class D, class Load, class T>
HWY_INLINE hn::Vec<D> spread_target(D d, const Load& load, const LineTarget<T>& target) {
  const auto weight = target.weight != nullptr ? load(target.weight, T(0)) : load.ones();
  const auto uniform = hn::Set(d, target.uniform);
  if (target.probabilities == nullptr) return hn::Mul(weight, uniform);
  const auto t = load(target.probabilities, T(0));
  return hn::Mul(weight, hn::MulAdd(hn::Set(d, target.certain), t, uniform));
}

// The sums over the targets that are not the label's alone. A class that does not count adds
// nothing, whatever its logit.
template <class T>
HWY_NOINLINE void add_spread(const T* z, std::int64_t n, const LineTarget<T>& target, T m,
                             LineLoss<T>& loss) {
  const hn::ScalableTag<T> d;
  const auto most = hn::Set(d, m);
  BlockedSum total(d);
  BlockedSum weighted(d);
  for_vectors(d, n, kNothing<T>, [&](auto load, auto) HWY_ATTR {
    const auto q = spread_target(d, load, target);
    const auto term = hn::Mul(q, hn::Sub(load(z), most));
    total.add(d, q);
    weighted.add(d, hn::IfThenZeroElse(hn::Eq(q, hn::Zero(d)), term));
  });
  loss.spread = total.sum(d);
  loss.spread_of = weighted.sum(d);
}

// Adds the terms of elements [from, to), as `others` lets them through, and keeps them in dz if
// asked to.
template <bool keep, class T, class V, class D, class Others>
HWY_INLINE void add_terms(D d, const T* z, std::int64_t from, std::int64_t to, V most, T* dz,
                          BlockedSum<D>& rest, Others others) {
  for_vectors(d, to - from, kNothing<T>, [&](auto load, auto store) HWY_ATTR {
    const auto e = exp_of_nonpositive(d, hn::Sub(load(z + from), most));
    if constexpr (keep) store(e, dz + from);
    rest.add(d, others(e));
  });
}

// With `keep`, the exponentials stay in dz. The vector with the label is apart from the others, so
// that leaving the label's term out costs the rest nothing.
template <bool keep, class T>
HWY_INLINE LineLoss<T> sums(const T* z, std::int64_t n, const LineTarget<T>& target, T m, T* dz) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  LineLoss<T> loss{};
  loss.offset = target.label < 0 ? kNothing<T> : z[target.label] - m;
  if (target.spread()) add_spread(z, n, target, m, loss);

  const auto most = hn::Set(d, m);
  BlockedSum rest(d);
  const auto all = [](auto e) HWY_ATTR { return e; };
  if (target.label < 0) {
    add_terms<keep>(d, z, 0, n, most, dz, rest, all);
  } else {
    const std::int64_t first = target.label / lanes * lanes;
    const std::int64_t after = std::min(n, first + lanes);
    const auto label = hn::Set(d, static_cast<T>(target.label - first));
    const auto all_but_one = [=](auto e) HWY_ATTR {
      return hn::IfThenZeroElse(hn::Eq(hn::Iota(d, 0), label), e);
    };
    add_terms<keep>(d, z, 0, first, most, dz, rest, all);
    add_terms<keep>(d, z, first, after, most, dz, rest, all_but_one);
    add_terms<keep>(d, z, after, n, most, dz, rest, all);
    loss.peak = keep ? dz[target.label] : exp_of_one(loss.offset);
  }
  loss.rest = rest.sum(d);
  return loss;
}

// `e` holds the exponentials, or, with `raw`, the logits.
template <bool raw, class T>
HWY_INLINE void scale_gradient(const T* e, std::int64_t n, const LineTarget<T>& target, T m,
                               const LineLoss<T>& loss, T scale, bool subtract, T* dz) {
  const hn::ScalableTag<T> d;
  const auto most = hn::Set(d, m);
  const T s = loss.rest + loss.peak;
  const auto factor = hn::Set(d, (target.spike + loss.spread) / s * scale);
  const auto p = [&](auto load) HWY_ATTR {
    const auto value = load(e);
    return hn::Mul(raw ? exp_of_nonpositive(d, hn::Sub(value, most)) : value, factor);
  };
  if (subtract && target.spread()) {
    const auto g = hn::Set(d, scale);
    for_vectors(d, n, kNothing<T>, [&](auto load, auto store) HWY_ATTR {
      store(hn::NegMulAdd(spread_target(d, load, target), g, p(load)), dz);
    });
  } else {
    for_vectors(d, n, kNothing<T>, [&](auto load, auto store) HWY_ATTR { store(p(load), dz); });
  }
  if (!subtract || target.label < 0) return;
  const T weight = target.weight != nullptr ? target.weight[target.label] : T(1);
  dz[target.label] =
      label_gradient(target, loss.rest, loss.peak, loss.spread, weight * target.uniform, scale);
}

template <class T>
LineLoss<T> loss_of(const T* z, std::int64_t n, const LineTarget<T>& target) {
  return sums<false>(z, n, target, row_max(hn::ScalableTag<T>(), z, n), static_cast<T*>(nullptr));
}

// A row of one vector, with a label alone: everything stays in registers.
template <class T>
LineLoss<T> short_row(const T* z, std::int64_t n, const LineTarget<T>& target, T scale, T* dz) {
  const hn::ScalableTag<T> d;
  const auto row = load_partial(d, z, n, kNothing<T>);
  const auto most = hn::MaxOfLanes(d, row);
  const auto e = exp_of_nonpositive(d, hn::Sub(row, most));
  const auto own = hn::Eq(hn::Iota(d, 0), hn::Set(d, static_cast<T>(target.label)));
  HWY_ALIGN T terms[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(e, d, terms);
  LineLoss<T> loss{};
  loss.rest = hn::GetLane(hn::SumOfLanes(d, hn::IfThenZeroElse(own, e)));
  loss.peak = terms[target.label];
  loss.offset = z[target.label] - hn::GetLane(most);
  const auto factor = hn::Set(d, target.spike / (loss.rest + loss.peak) * scale);
  const T label = label_gradient(target, loss.rest, loss.peak, T(0), T(0), scale);
  store_partial(hn::IfThenElse(own, hn::Set(d, label), hn::Mul(e, factor)), d, dz, n);
  return loss;
}

template <class T>
LineLoss<T> loss_and_gradient(const T* z, std::int64_t n, const LineTarget<T>& target, T scale,
                              T* dz) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  if (n < lanes && target.label >= 0 && !target.spread()) {
    return short_row(z, n, target, scale, dz);
  }
  const T m = row_max(hn::ScalableTag<T>(), z, n);
  const LineLoss<T> loss = sums<true>(z, n, target, m, dz);
  scale_gradient<false>(dz, n, target, m, loss, scale, true, dz);
  return loss;
}

template <class T>
void gradient(const T* z, std::int64_t n, const LineTarget<T>& target, T rest, T scale,
              bool subtract, T* dz) {
  const T m = row_max(hn::ScalableTag<T>(), z, n);
  LineLoss<T> loss{};
  loss.rest = rest;
  loss.peak = target.label < 0 ? T(0) : exp_of_one(z[target.label] - m);
  if (target.spread()) add_spread(z, n, target, m, loss);
  scale_gradient<true>(z, n, target, m, loss, scale, subtract, dz);
}

LineLoss<float> loss_f32(const float* z, std::int64_t n, const LineTarget<float>& target) {
  return loss_of(z, n, target);
}
LineLoss<double> loss_f64(const double* z, std::int64_t n, const LineTarget<double>& target) {
  return loss_of(z, n, target);
}
LineLoss<float> both_f32(const float* z, std::int64_t n, const LineTarget<float>& target,
                         float scale, float* dz) {
  return loss_and_gradient(z, n, target, scale, dz);
}
LineLoss<double> both_f64(const double* z, std::int64_t n, const LineTarget<double>& target,
                          double scale, double* dz) {
  return loss_and_gradient(z, n, target, scale, dz);
}
void gradient_f32(const float* z, std::int64_t n, const LineTarget<float>& target, float rest,
                  float scale, bool subtract, float* dz) {
  gradient(z, n, target, rest, scale, subtract, dz);
}
void gradient_f64(const double* z, std::int64_t n, const LineTarget<double>& target, double rest,
                  double scale, bool subtract, double* dz) {
  gradient(z, n, target, rest, scale, subtract, dz);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {

HWY_EXPORT(loss_f32);
HWY_EXPORT(loss_f64);
HWY_EXPORT(both_f32);
HWY_EXPORT(both_f64);
HWY_EXPORT(gradient_f32);
HWY_EXPORT(gradient_f64);

LineLoss<float> row_loss(const float* z, std::int64_t n, const LineTarget<float>& target) {
  return HWY_DYNAMIC_DISPATCH(loss_f32)(z, n, target);
}
LineLoss<double> row_loss(const double* z, std::int64_t n, const LineTarget<double>& target) {
  return HWY_DYNAMIC_DISPATCH(loss_f64)(z, n, target);
}
LineLoss<float> row_loss_and_gradient(const float* z, std::int64_t n,
                                      const LineTarget<float>& target, float scale, float* dz) {
  return HWY_DYNAMIC_DISPATCH(both_f32)(z, n, target, scale, dz);
}
LineLoss<double> row_loss_and_gradient(const double* z, std::int64_t n,
                                       const LineTarget<double>& target, double scale, double* dz) {
  return HWY_DYNAMIC_DISPATCH(both_f64)(z, n, target, scale, dz);
}
void row_gradient(const float* z, std::int64_t n, const LineTarget<float>& target, float rest,
                  float scale, bool subtract, float* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f32)(z, n, target, rest, scale, subtract, dz);
}
void row_gradient(const double* z, std::int64_t n, const LineTarget<double>& target, double rest,
                  double scale, bool subtract, double* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f64)(z, n, target, rest, scale, subtract, dz);
}

}  // namespace gradmill
#endif
