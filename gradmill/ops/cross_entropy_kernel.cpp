#include <gradmill/ops/cross_entropy_kernel.h>

#include <limits>

#include <gradmill/ops/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/cross_entropy_kernel.cpp"
#include <hwy/foreach_target.h>  // first: it includes this file once for each target

#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// exp of what is at most 0; Highway's Exp turns a NaN into 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_below(D d, V x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
}

// A row's tail, shorter than a vector; the lanes behind it hold `fill`.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_tail(D d, const T* x, std::size_t count, T fill) {
  const auto mask = hn::FirstN(d, count);
  return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, x), hn::Set(d, fill));
}

template <class T>
HWY_INLINE T row_max(const T* z, std::size_t n) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const T lowest = -std::numeric_limits<T>::infinity();
  auto m = hn::Set(d, lowest);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) m = hn::Max(m, hn::LoadU(d, z + i));
  if (i < n) m = hn::Max(m, load_tail(d, z + i, n - i, lowest));
  return hn::GetLane(hn::MaxOfLanes(d, m));
}

// Sums exp(z - m), and with kStore leaves each term in dz.
template <bool kStore, class T>
HWY_INLINE T sum_exp(const T* z, std::size_t n, T m, T* dz) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto max = hn::Set(d, m);
  auto sum = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto e = exp_below(d, hn::Sub(hn::LoadU(d, z + i), max));
    if constexpr (kStore) hn::StoreU(e, d, dz + i);
    sum = hn::Add(sum, e);
  }
  if (i < n) {
    const auto mask = hn::FirstN(d, n - i);
    const auto e = exp_below(d, hn::Sub(hn::MaskedLoad(mask, d, z + i), max));
    if constexpr (kStore) hn::BlendedStore(e, mask, d, dz + i);
    sum = hn::Add(sum, hn::IfThenElseZero(mask, e));
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

template <class T>
RowLoss<T> loss(const T* z, std::int64_t n, std::int64_t label) {
  const auto count = static_cast<std::size_t>(n);
  const T m = row_max(z, count);
  return {sum_exp<false>(z, count, m, static_cast<T*>(nullptr)), z[label] - m};
}

template <class T>
RowLoss<T> loss_and_gradient(const T* z, std::int64_t n, std::int64_t label, T scale, T* dz) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto count = static_cast<std::size_t>(n);
  const T m = row_max(z, count);
  const T offset = z[label] - m;
  const T sum = sum_exp<true>(z, count, m, dz);
  const auto factor = hn::Set(d, scale / sum);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, dz + i), factor), d, dz + i);
  }
  if (i < count) {
    const auto mask = hn::FirstN(d, count - i);
    hn::BlendedStore(hn::Mul(hn::MaskedLoad(mask, d, dz + i), factor), mask, d, dz + i);
  }
  dz[label] -= scale;
  return {sum, offset};
}

template <class T>
void gradient(const T* z, std::int64_t n, std::int64_t label, T sum, T scale, T* dz) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto count = static_cast<std::size_t>(n);
  const auto max = hn::Set(d, row_max(z, count));
  const auto factor = hn::Set(d, scale / sum);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto e = exp_below(d, hn::Sub(hn::LoadU(d, z + i), max));
    hn::StoreU(hn::Mul(e, factor), d, dz + i);
  }
  if (i < count) {
    const auto mask = hn::FirstN(d, count - i);
    const auto e = exp_below(d, hn::Sub(hn::MaskedLoad(mask, d, z + i), max));
    hn::BlendedStore(hn::Mul(e, factor), mask, d, dz + i);
  }
  dz[label] -= scale;
}

RowLoss<float> loss_f32(const float* z, std::int64_t n, std::int64_t label) {
  return loss(z, n, label);
}
RowLoss<double> loss_f64(const double* z, std::int64_t n, std::int64_t label) {
  return loss(z, n, label);
}
RowLoss<float> both_f32(const float* z, std::int64_t n, std::int64_t label, float scale,
                        float* dz) {
  return loss_and_gradient(z, n, label, scale, dz);
}
RowLoss<double> both_f64(const double* z, std::int64_t n, std::int64_t label, double scale,
                         double* dz) {
  return loss_and_gradient(z, n, label, scale, dz);
}
void gradient_f32(const float* z, std::int64_t n, std::int64_t label, float sum, float scale,
                  float* dz) {
  gradient(z, n, label, sum, scale, dz);
}
void gradient_f64(const double* z, std::int64_t n, std::int64_t label, double sum, double scale,
                  double* dz) {
  gradient(z, n, label, sum, scale, dz);
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

RowLoss<float> row_loss(const float* z, std::int64_t n, std::int64_t label) {
  return HWY_DYNAMIC_DISPATCH(loss_f32)(z, n, label);
}
RowLoss<double> row_loss(const double* z, std::int64_t n, std::int64_t label) {
  return HWY_DYNAMIC_DISPATCH(loss_f64)(z, n, label);
}
RowLoss<float> row_loss_and_gradient(const float* z, std::int64_t n, std::int64_t label,
                                     float scale, float* dz) {
  return HWY_DYNAMIC_DISPATCH(both_f32)(z, n, label, scale, dz);
}
RowLoss<double> row_loss_and_gradient(const double* z, std::int64_t n, std::int64_t label,
                                      double scale, double* dz) {
  return HWY_DYNAMIC_DISPATCH(both_f64)(z, n, label, scale, dz);
}
void row_gradient(const float* z, std::int64_t n, std::int64_t label, float sum, float scale,
                  float* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f32)(z, n, label, sum, scale, dz);
}
void row_gradient(const double* z, std::int64_t n, std::int64_t label, double sum, double scale,
                  double* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f64)(z, n, label, sum, scale, dz);
}

}  // namespace gradmill
#endif
