#include <gradmill/ops/elementwise/loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/elementwise/loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/elementwise/activation-inl.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {

template <Unary kind, class D, class V = hn::Vec<D>>
HWY_INLINE V compute(D d, V x) {
  if constexpr (kind == Unary::neg) return hn::Neg(x);
  if constexpr (kind == Unary::exp) return exp_of(d, x);
  if constexpr (kind == Unary::log) return log_of(d, x);
  if constexpr (kind == Unary::sqrt) return hn::Sqrt(x);
  if constexpr (kind == Unary::tanh) return hn::Tanh(d, x);
  if constexpr (kind == Unary::sigmoid) return sigmoid_of(d, x);
  if constexpr (kind == Unary::relu) return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
  if constexpr (kind == Unary::gelu) return hn::Mul(x, normal_of(d, x).below);
  if constexpr (kind == Unary::gelu_tanh) return hn::Mul(x, normal_by_tanh(d, x).below);
  if constexpr (kind == Unary::silu) return hn::Mul(x, logistic_of(d, x).below);
}

template <Binary kind, class D, class V = hn::Vec<D>>
HWY_INLINE V compute(D d, V a, V b) {
  [[maybe_unused]] const V one = hn::Set(d, Lane<D>(1));
  if constexpr (kind == Binary::add) return hn::Add(a, b);
  if constexpr (kind == Binary::sub) return hn::Sub(a, b);
  if constexpr (kind == Binary::mul) return hn::Mul(a, b);
  if constexpr (kind == Binary::div) return hn::Div(a, b);
  if constexpr (kind == Binary::relu_backward) {
    return hn::IfThenZeroElse(hn::Le(b, hn::Zero(d)), a);
  }
  if constexpr (kind == Binary::tanh_backward) return hn::Mul(a, hn::NegMulAdd(b, b, one));
  if constexpr (kind == Binary::sigmoid_backward) {
    return hn::Mul(hn::Mul(a, b), hn::Sub(one, b));
  }
  if constexpr (kind == Binary::gelu_backward) {
    return hn::Mul(a, derivative_of_product(d, b, normal_of(d, b)));
  }
  if constexpr (kind == Binary::gelu_tanh_backward) {
    return hn::Mul(a, derivative_of_product(d, b, normal_by_tanh(d, b)));
  }
  if constexpr (kind == Binary::silu_backward) {
    return hn::Mul(a, derivative_of_product(d, b, logistic_of(d, b)));
  }
  if constexpr (kind == Binary::equal) return hn::IfThenElseZero(hn::Eq(a, b), one);
}

template <Unary kind, class T>
HWY_NOINLINE void unary_row(const T* x, T* y, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(compute<kind>(d, hn::LoadU(d, x + i)), d, y + i);
  if (i < n) {
    store_partial(compute<kind>(d, load_partial(d, x + i, n - i, T(0))), d, y + i, n - i);
  }
}

template <Binary kind, bool vary_a, bool vary_b, class T>
HWY_NOINLINE void binary_row(const T* a, const T* b, T* y, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto same_a = hn::Set(d, *a);
  const auto same_b = hn::Set(d, *b);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto va = vary_a ? hn::LoadU(d, a + i) : same_a;
    const auto vb = vary_b ? hn::LoadU(d, b + i) : same_b;
    hn::StoreU(compute<kind>(d, va, vb), d, y + i);
  }
  if (i < n) {
    const auto va = vary_a ? load_partial(d, a + i, n - i, T(0)) : same_a;
    const auto vb = vary_b ? load_partial(d, b + i, n - i, T(0)) : same_b;
    store_partial(compute<kind>(d, va, vb), d, y + i, n - i);
  }
}

template <Binary kind, class T>
void binary_row(const T* a, int a_stride, const T* b, int b_stride, T* y, std::int64_t n) {
  if (a_stride != 0 && b_stride != 0) return binary_row<kind, true, true>(a, b, y, n);
  if (a_stride != 0) return binary_row<kind, true, false>(a, b, y, n);
  if (b_stride != 0) return binary_row<kind, false, true>(a, b, y, n);
  binary_row<kind, false, false>(a, b, y, n);
}

template <class T>
void unary(Unary kind, const T* x, T* y, std::int64_t n) {
  switch (kind) {
    case Unary::neg: return unary_row<Unary::neg>(x, y, n);
    case Unary::exp: return unary_row<Unary::exp>(x, y, n);
    case Unary::log: return unary_row<Unary::log>(x, y, n);
    case Unary::sqrt: return unary_row<Unary::sqrt>(x, y, n);
    case Unary::tanh: return unary_row<Unary::tanh>(x, y, n);
    case Unary::sigmoid: return unary_row<Unary::sigmoid>(x, y, n);
    case Unary::relu: return unary_row<Unary::relu>(x, y, n);
    case Unary::gelu: return unary_row<Unary::gelu>(x, y, n);
    case Unary::gelu_tanh: return unary_row<Unary::gelu_tanh>(x, y, n);
    case Unary::silu: return unary_row<Unary::silu>(x, y, n);
  }
}

template <class T>
void binary(Binary kind, const T* a, int sa, const T* b, int sb, T* y, std::int64_t n) {
  switch (kind) {
    case Binary::add: return binary_row<Binary::add>(a, sa, b, sb, y, n);
    case Binary::sub: return binary_row<Binary::sub>(a, sa, b, sb, y, n);
    case Binary::mul: return binary_row<Binary::mul>(a, sa, b, sb, y, n);
    case Binary::div: return binary_row<Binary::div>(a, sa, b, sb, y, n);
    case Binary::relu_backward: return binary_row<Binary::relu_backward>(a, sa, b, sb, y, n);
    case Binary::tanh_backward: return binary_row<Binary::tanh_backward>(a, sa, b, sb, y, n);
    case Binary::sigmoid_backward: return binary_row<Binary::sigmoid_backward>(a, sa, b, sb, y, n);
    case Binary::gelu_backward: return binary_row<Binary::gelu_backward>(a, sa, b, sb, y, n);
    case Binary::gelu_tanh_backward:
      return binary_row<Binary::gelu_tanh_backward>(a, sa, b, sb, y, n);
    case Binary::silu_backward: return binary_row<Binary::silu_backward>(a, sa, b, sb, y, n);
    case Binary::equal: return binary_row<Binary::equal>(a, sa, b, sb, y, n);
  }
}

void unary_f32(Unary kind, const float* x, float* y, std::int64_t n) { unary(kind, x, y, n); }
void unary_f64(Unary kind, const double* x, double* y, std::int64_t n) { unary(kind, x, y, n); }
void binary_f32(Binary kind, const float* a, int a_stride, const float* b, int b_stride, float* y,
                std::int64_t n) {
  binary(kind, a, a_stride, b, b_stride, y, n);
}
void binary_f64(Binary kind, const double* a, int a_stride, const double* b, int b_stride,
                double* y, std::int64_t n) {
  binary(kind, a, a_stride, b, b_stride, y, n);
}

}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(unary_f32);
HWY_EXPORT(unary_f64);
HWY_EXPORT(binary_f32);
HWY_EXPORT(binary_f64);

}  // namespace

void apply_unary(Unary kind, const float* x, float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(unary_f32)(kind, x, y, n);
}

void apply_unary(Unary kind, const double* x, double* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(unary_f64)(kind, x, y, n);
}

void apply_binary(Binary kind, const float* a, int a_stride, const float* b, int b_stride, float* y,
                  std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(binary_f32)(kind, a, a_stride, b, b_stride, y, n);
}

void apply_binary(Binary kind, const double* a, int a_stride, const double* b, int b_stride,
                  double* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(binary_f64)(kind, a, a_stride, b, b_stride, y, n);
}

}  // namespace gradmill
#endif
