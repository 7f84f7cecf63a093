#include <gradmill/ops/reduce/squared_sum.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/reduce/squared_sum.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

template <class T>
double sum_squares(const T* x, const T* before, T share, std::int64_t n) {
  constexpr std::int64_t kBlock = 1024;
  const hn::ScalableTag<T> d;
  const auto part = hn::Set(d, share);
  double total = 0;
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, n - begin);
    const T* from = x + begin;
    const T* add = before == nullptr ? nullptr : before + begin;
    total += static_cast<double>(sum_of(d, count, T(0), [&](auto load, auto) HWY_ATTR {
      auto v = hn::Mul(load(from), part);
      // Rounded as the update rounds it, so that both see one gradient.
      if (add != nullptr) v = hn::Add(load(add), v);
      return hn::Mul(v, v);
    }));
  }
  return total;
}

double squared_sum_f32(const float* x, const float* before, float share, std::int64_t n) {
  return sum_squares(x, before, share, n);
}
double squared_sum_f64(const double* x, const double* before, double share, std::int64_t n) {
  return sum_squares(x, before, share, n);
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(squared_sum_f32);
HWY_EXPORT(squared_sum_f64);

}  // namespace

double squared_sum(const float* x, const float* before, float share, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(squared_sum_f32)(x, before, share, n);
}
double squared_sum(const double* x, const double* before, double share, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(squared_sum_f64)(x, before, share, n);
}

}  // namespace gradmill
#endif
