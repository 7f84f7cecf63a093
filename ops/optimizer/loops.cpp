#include <gradmill/ops/optimizer/loops.h>

#include <gradmill/ops/simd/targets.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/optimizer/loops.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Calls step(d, i, j), with i in the parameter and j in the gradient, for whole vectors, then for
// the rest of a row one element at a time, with the same operations in a vector of one lane.
// fetch(i) is called for what comes a row later.
template <class T, class Step, class Fetch>
HWY_INLINE void for_each_vector(const UpdateRows& rows, const Step& step, const Fetch& fetch) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t row = 0; row < rows.rows; ++row) {
    const std::int64_t i = row * rows.stride;
    const std::int64_t j = row * rows.gradient_stride;
    const bool more = row + 1 < rows.rows;
    std::int64_t c = 0;
    for (; c + lanes <= rows.columns; c += lanes) {
      if (more) fetch(i + rows.stride + c);
      step(d, i + c, j + c);
    }
    for (; c < rows.columns; ++c) step(one, i + c, j + c);
  }
}

template <class T>
void sgd(const SgdStep& step, const UpdateRows& rows, T* HWY_RESTRICT p, const T* HWY_RESTRICT g,
         T* HWY_RESTRICT buffer) {
  const T rate = static_cast<T>(step.learning_rate);
  const T momentum = static_cast<T>(step.momentum);
  const T decay = static_cast<T>(step.weight_decay);
  const auto update = [&](auto d, std::int64_t i, std::int64_t j) HWY_ATTR {
    const auto parameter = hn::LoadU(d, p + i);
    auto gradient = hn::LoadU(d, g + j);
    if (decay != 0) gradient = hn::MulAdd(hn::Set(d, decay), parameter, gradient);
    if (buffer != nullptr) {
      const auto velocity = hn::MulAdd(hn::Set(d, momentum), hn::LoadU(d, buffer + i), gradient);
      hn::StoreU(velocity, d, buffer + i);
      gradient = step.nesterov ? hn::MulAdd(hn::Set(d, momentum), velocity, gradient) : velocity;
    }
    hn::StoreU(hn::NegMulAdd(hn::Set(d, rate), gradient, parameter), d, p + i);
  };
  for_each_vector<T>(rows, update, [&](std::int64_t i) {
    hwy::Prefetch(p + i);
    if (buffer != nullptr) hwy::Prefetch(buffer + i);
  });
}

template <class T>
void adamw(const AdamWStep& step, const UpdateRows& rows, T* HWY_RESTRICT p,
           const T* HWY_RESTRICT g, T* HWY_RESTRICT m, T* HWY_RESTRICT v) {
  const T beta1 = static_cast<T>(step.beta1);
  const T beta2 = static_cast<T>(step.beta2);
  const T rest1 = static_cast<T>(1.0 - step.beta1);
  const T rest2 = static_cast<T>(1.0 - step.beta2);
  const T decay = static_cast<T>(step.decay);
  const T step_size = static_cast<T>(step.step_size);
  const T inverse_root = static_cast<T>(1.0 / step.root_correction);
  const T eps = static_cast<T>(step.eps);
  const auto update = [&](auto d, std::int64_t i, std::int64_t j) HWY_ATTR {
    const auto gradient = hn::LoadU(d, g + j);
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
  };
  for_each_vector<T>(rows, update, [&](std::int64_t i) {
    hwy::Prefetch(p + i);
    hwy::Prefetch(m + i);
    hwy::Prefetch(v + i);
  });
}

void sgd_f32(const SgdStep& step, const UpdateRows& rows, float* p, const float* g, float* buffer) {
  sgd(step, rows, p, g, buffer);
}
void adamw_f32(const AdamWStep& step, const UpdateRows& rows, float* p, const float* g, float* m,
               float* v) {
  adamw(step, rows, p, g, m, v);
}
void sgd_f64(const SgdStep& step, const UpdateRows& rows, double* p, const double* g,
             double* buffer) {
  sgd(step, rows, p, g, buffer);
}
void adamw_f64(const AdamWStep& step, const UpdateRows& rows, double* p, const double* g, double* m,
               double* v) {
  adamw(step, rows, p, g, m, v);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(sgd_f32);
HWY_EXPORT(sgd_f64);
HWY_EXPORT(adamw_f32);
HWY_EXPORT(adamw_f64);

}  // namespace

void sgd_update(const SgdStep& step, const UpdateRows& rows, float* p, const float* g,
                float* buffer) {
  HWY_DYNAMIC_DISPATCH(sgd_f32)(step, rows, p, g, buffer);
}
void adamw_update(const AdamWStep& step, const UpdateRows& rows, float* p, const float* g, float* m,
                  float* v) {
  HWY_DYNAMIC_DISPATCH(adamw_f32)(step, rows, p, g, m, v);
}
void sgd_update(const SgdStep& step, const UpdateRows& rows, double* p, const double* g,
                double* buffer) {
  HWY_DYNAMIC_DISPATCH(sgd_f64)(step, rows, p, g, buffer);
}
void adamw_update(const AdamWStep& step, const UpdateRows& rows, double* p, const double* g,
                  double* m, double* v) {
  HWY_DYNAMIC_DISPATCH(adamw_f64)(step, rows, p, g, m, v);
}

}  // namespace gradmill
#endif
