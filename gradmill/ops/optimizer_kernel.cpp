#include <gradmill/ops/optimizer_kernel.h>

#include <gradmill/ops/simd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/optimizer_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Calls step(d, i) for whole vectors, then for the rest one element at a time, with the same
// operations in a vector of one lane.
template <class T, class Step>
HWY_INLINE void for_each_vector(std::int64_t n, const Step& step) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) step(d, i);
  const hn::CappedTag<T, 1> one;
  for (; i < n; ++i) step(one, i);
}

template <class T>
void sgd(const SgdStep& step, T* HWY_RESTRICT p, const T* HWY_RESTRICT g, T* HWY_RESTRICT buffer,
         std::int64_t n) {
  const T rate = static_cast<T>(step.learning_rate);
  const T momentum = static_cast<T>(step.momentum);
  const T decay = static_cast<T>(step.weight_decay);
  for_each_vector<T>(n, [&](auto d, std::int64_t i) {
    const auto parameter = hn::LoadU(d, p + i);
    auto gradient = hn::LoadU(d, g + i);
    if (decay != 0) gradient = hn::MulAdd(hn::Set(d, decay), parameter, gradient);
    if (buffer != nullptr) {
      const auto velocity = hn::MulAdd(hn::Set(d, momentum), hn::LoadU(d, buffer + i), gradient);
      hn::StoreU(velocity, d, buffer + i);
      gradient = step.nesterov ? hn::MulAdd(hn::Set(d, momentum), velocity, gradient) : velocity;
    }
    hn::StoreU(hn::NegMulAdd(hn::Set(d, rate), gradient, parameter), d, p + i);
  });
}

template <class T>
void adamw(const AdamWStep& step, T* HWY_RESTRICT p, const T* HWY_RESTRICT g, T* HWY_RESTRICT m,
           T* HWY_RESTRICT v, std::int64_t n) {
  const T beta1 = static_cast<T>(step.beta1);
  const T beta2 = static_cast<T>(step.beta2);
  const T rest1 = static_cast<T>(1.0 - step.beta1);
  const T rest2 = static_cast<T>(1.0 - step.beta2);
  const T decay = static_cast<T>(step.decay);
  const T step_size = static_cast<T>(step.step_size);
  const T inverse_root = static_cast<T>(1.0 / step.root_correction);
  const T eps = static_cast<T>(step.eps);
  for_each_vector<T>(n, [&](auto d, std::int64_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto first =
        hn::MulAdd(hn::Set(d, beta1), hn::LoadU(d, m + i), hn::Mul(hn::Set(d, rest1), gradient));
    const auto second = hn::MulAdd(hn::Set(d, beta2), hn::LoadU(d, v + i),
                                   hn::Mul(hn::Set(d, rest2), hn::Mul(gradient, gradient)));
    hn::StoreU(first, d, m + i);
    hn::StoreU(second, d, v + i);
    const auto denominator =
        hn::MulAdd(hn::Sqrt(second), hn::Set(d, inverse_root), hn::Set(d, eps));
    const auto decayed = hn::Mul(hn::Set(d, decay), hn::LoadU(d, p + i));
    hn::StoreU(hn::NegMulAdd(hn::Set(d, step_size), hn::Div(first, denominator), decayed), d,
               p + i);
  });
}

void sgd_f32(const SgdStep& step, float* p, const float* g, float* buffer, std::int64_t n) {
  sgd(step, p, g, buffer, n);
}
void sgd_f64(const SgdStep& step, double* p, const double* g, double* buffer, std::int64_t n) {
  sgd(step, p, g, buffer, n);
}
void adamw_f32(const AdamWStep& step, float* p, const float* g, float* m, float* v,
               std::int64_t n) {
  adamw(step, p, g, m, v, n);
}
void adamw_f64(const AdamWStep& step, double* p, const double* g, double* m, double* v,
               std::int64_t n) {
  adamw(step, p, g, m, v, n);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {

HWY_EXPORT(sgd_f32);
HWY_EXPORT(sgd_f64);
HWY_EXPORT(adamw_f32);
HWY_EXPORT(adamw_f64);

void sgd_update(const SgdStep& step, float* p, const float* g, float* buffer, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(sgd_f32)(step, p, g, buffer, n);
}
void sgd_update(const SgdStep& step, double* p, const double* g, double* buffer, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(sgd_f64)(step, p, g, buffer, n);
}
void adamw_update(const AdamWStep& step, float* p, const float* g, float* m, float* v,
                  std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(adamw_f32)(step, p, g, m, v, n);
}
void adamw_update(const AdamWStep& step, double* p, const double* g, double* m, double* v,
                  std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(adamw_f64)(step, p, g, m, v, n);
}

}  // namespace gradmill
#endif
