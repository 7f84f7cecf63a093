#include <gradmill/ops/cross_entropy_kernel.h>
#include <gradmill/ops/simd.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/cross_entropy_kernel.cpp"
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
RowLoss<T> loss(const T* z, std::int64_t n, std::int64_t label) {
  const hn::ScalableTag<T> d;
  const T m = row_max(d, z, n);
  const auto most = hn::Set(d, m);
  BlockedSum sum(d);
  for_vectors(d, n, kNothing<T>, [&](auto load, auto) HWY_ATTR {
    sum.add(d, exp_of_nonpositive(d, hn::Sub(load(z), most)));
  });
  return {sum.sum(d), z[label] - m};
}

template <class T>
void gradient(const T* z, std::int64_t n, std::int64_t label, T sum, T scale, T* dz) {
  const hn::ScalableTag<T> d;
  const auto most = hn::Set(d, row_max(d, z, n));
  const auto factor = hn::Set(d, scale / sum);
  for_vectors(d, n, kNothing<T>, [&](auto load, auto store) HWY_ATTR {
    store(hn::Mul(exp_of_nonpositive(d, hn::Sub(load(z), most)), factor), dz);
  });
  dz[label] -= scale;
}

// Each exponential is taken once: it waits in dz until the sum is known.
template <class T>
RowLoss<T> loss_and_gradient(const T* z, std::int64_t n, std::int64_t label, T scale, T* dz) {
  const hn::ScalableTag<T> d;
  const T m = row_max(d, z, n);
  const T offset = z[label] - m;
  const auto most = hn::Set(d, m);
  BlockedSum terms(d);
  for_vectors(d, n, kNothing<T>, [&](auto load, auto store) HWY_ATTR {
    const auto e = exp_of_nonpositive(d, hn::Sub(load(z), most));
    store(e, dz);
    terms.add(d, e);
  });
  const T sum = terms.sum(d);
  const auto factor = hn::Set(d, scale / sum);
  for_vectors(d, n, T(0),
              [&](auto load, auto store) HWY_ATTR { store(hn::Mul(load(dz), factor), dz); });
  dz[label] -= scale;
  return {sum, offset};
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
