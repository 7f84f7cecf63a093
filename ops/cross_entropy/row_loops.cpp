#include <gradmill/ops/cross_entropy/row_loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/cross_entropy/row_loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/cross_entropy/row_terms-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

template <bool raw, class T>
HWY_INLINE void scale_gradient(const T* e, std::int64_t n, const LineTarget<T>& target, T m,
                               const LineLoss<T>& loss, T scale, bool subtract, T* dz) {
  with_gradient<raw>(e, target, m, loss, scale, subtract, [=](auto value) HWY_ATTR {
    for_vectors(hn::ScalableTag<T>(), n, kNothing<T>,
                [=](auto load, auto store) HWY_ATTR { store(value(load), dz); });
  });
  if (subtract && target.label >= 0) dz[target.label] = gradient_of_label(target, loss, scale);
}

template <class T>
LineLoss<T> loss_of(const T* z, std::int64_t n, const LineTarget<T>& target) {
  return sums<Terms::added>(z, n, target, row_max(hn::ScalableTag<T>(), z, n),
                            static_cast<T*>(nullptr));
}

// A row of one vector, with a label alone: everything stays in registers.
template <class T>
LineLoss<T> short_row(const T* z, std::int64_t n, const LineTarget<T>& target, T scale, T* dz) {
  const hn::ScalableTag<T> d;
  const auto row = load_partial(d, z, n, kNothing<T>);
  const auto max = hn::MaxOfLanes(d, row);
  const auto e = exp_of_nonpositive(d, hn::Sub(row, max));
  const auto own = hn::Eq(hn::Iota(d, 0), hn::Set(d, static_cast<T>(target.label)));
  HWY_ALIGN T terms[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(e, d, terms);
  LineLoss<T> loss{};
  loss.other_terms = hn::GetLane(hn::SumOfLanes(d, hn::IfThenZeroElse(own, e)));
  loss.label_term = terms[target.label];
  loss.offset = z[target.label] - hn::GetLane(max);
  const auto factor =
      hn::Set(d, target.label_weight / (loss.other_terms + loss.label_term) * scale);
  const T label = label_gradient(target, loss.other_terms, loss.label_term, T(0), T(0), scale);
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
  const LineLoss<T> loss = sums<Terms::kept>(z, n, target, m, dz);
  scale_gradient<false>(dz, n, target, m, loss, scale, true, dz);
  return loss;
}

template <class T>
void gradient(const T* z, std::int64_t n, const LineTarget<T>& target, T other_terms, T scale,
              bool subtract, T* dz) {
  const T m = row_max(hn::ScalableTag<T>(), z, n);
  LineLoss<T> loss{};
  loss.other_terms = other_terms;
  loss.label_term = target.label < 0 ? T(0) : exp_of_one(z[target.label] - m);
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
void gradient_f32(const float* z, std::int64_t n, const LineTarget<float>& target,
                  float other_terms, float scale, bool subtract, float* dz) {
  gradient(z, n, target, other_terms, scale, subtract, dz);
}
void gradient_f64(const double* z, std::int64_t n, const LineTarget<double>& target,
                  double other_terms, double scale, bool subtract, double* dz) {
  gradient(z, n, target, other_terms, scale, subtract, dz);
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
void row_gradient(const float* z, std::int64_t n, const LineTarget<float>& target,
                  float other_terms, float scale, bool subtract, float* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f32)(z, n, target, other_terms, scale, subtract, dz);
}
void row_gradient(const double* z, std::int64_t n, const LineTarget<double>& target,
                  double other_terms, double scale, bool subtract, double* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f64)(z, n, target, other_terms, scale, subtract, dz);
}

}  // namespace gradmill
#endif
