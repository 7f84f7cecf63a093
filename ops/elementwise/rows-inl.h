// The vector loops of elementwise functions, and the macros that make objects of them. Included
// once per target, like Highway's own -inl headers.
//
// Where the code is compiled for each instruction set, a function of any name returns its rows;
// where it is compiled once, a macro makes the object:
//
//   UnaryRows square_rows() {
//     return unary_rows([](auto d, auto x) HWY_ATTR { return hn::Mul(x, x); });
//   }
//   ...
//   GRADMILL_UNARY(kSquare, square, .follows_product = true);

// clang-format off
#if defined(GRADMILL_OPS_ELEMENTWISE_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_ELEMENTWISE_ROWS_INL_H_
#undef GRADMILL_OPS_ELEMENTWISE_ROWS_INL_H_
#else
#define GRADMILL_OPS_ELEMENTWISE_ROWS_INL_H_
#endif
// clang-format on

#include <hwy/highway.h>

#include <type_traits>

#include <gradmill/ops/elementwise/function.h>
#include <gradmill/ops/simd/vector_math-inl.h>

#ifndef GRADMILL_UNARY

// `object` is the function named `function`, a UnaryFunction, whose other members may follow; its
// rows are what function_rows() returns for the processor's instruction set.
#define GRADMILL_UNARY(object, function, ...)                                           \
  HWY_EXPORT(function##_rows);                                                          \
  constexpr UnaryFunction object = {                                                    \
      .name = #function,                                                                \
      .f32 =                                                                            \
          [](const float* x, float* y, std::int64_t n, const FunctionParameters& p) {   \
            const UnaryRows rows = HWY_DYNAMIC_DISPATCH(function##_rows)();             \
            rows.f32(x, y, n, p);                                                       \
          },                                                                            \
      .f64 =                                                                            \
          [](const double* x, double* y, std::int64_t n, const FunctionParameters& p) { \
            const UnaryRows rows = HWY_DYNAMIC_DISPATCH(function##_rows)();             \
            rows.f64(x, y, n, p);                                                       \
          },                                                                            \
      __VA_ARGS__}

// The same for a BinaryFunction.
#define GRADMILL_BINARY(object, function, ...)                                                     \
  HWY_EXPORT(function##_rows);                                                                     \
  constexpr BinaryFunction object = {                                                              \
      .name = #function,                                                                           \
      .f32 =                                                                                       \
          [](const float* a, int a_stride, const float* b, int b_stride, float* y, std::int64_t n, \
             const FunctionParameters& p) {                                                        \
            const BinaryRows rows = HWY_DYNAMIC_DISPATCH(function##_rows)();                       \
            rows.f32(a, a_stride, b, b_stride, y, n, p);                                           \
          },                                                                                       \
      .f64 =                                                                                       \
          [](const double* a, int a_stride, const double* b, int b_stride, double* y,              \
             std::int64_t n, const FunctionParameters& p) {                                        \
            const BinaryRows rows = HWY_DYNAMIC_DISPATCH(function##_rows)();                       \
            rows.f64(a, a_stride, b, b_stride, y, n, p);                                           \
          },                                                                                       \
      __VA_ARGS__}

#endif

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class F, class T>
HWY_NOINLINE HWY_FLATTEN void unary_row(const T* x, T* y, std::int64_t n,
                                        [[maybe_unused]] const FunctionParameters& parameters) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto f = [&](auto v) HWY_ATTR {
    if constexpr (std::is_invocable_v<F, decltype(d), decltype(v)>) {
      return F()(d, v);
    } else {
      return F()(d, v, parameters);
    }
  };
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(hn::LoadU(d, x + i)), d, y + i);
  if (i < n) store_partial(f(load_partial(d, x + i, n - i, T(0))), d, y + i, n - i);
}

template <class F, bool vary_a, bool vary_b, class T>
HWY_NOINLINE HWY_FLATTEN void binary_row(const T* a, const T* b, T* y, std::int64_t n,
                                         [[maybe_unused]] const FunctionParameters& parameters) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto f = [&](auto va, auto vb) HWY_ATTR {
    if constexpr (std::is_invocable_v<F, decltype(d), decltype(va), decltype(vb)>) {
      return F()(d, va, vb);
    } else {
      return F()(d, va, vb, parameters);
    }
  };
  const auto same_a = hn::Set(d, *a);
  const auto same_b = hn::Set(d, *b);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto va = vary_a ? hn::LoadU(d, a + i) : same_a;
    const auto vb = vary_b ? hn::LoadU(d, b + i) : same_b;
    hn::StoreU(f(va, vb), d, y + i);
  }
  if (i < n) {
    const auto va = vary_a ? load_partial(d, a + i, n - i, T(0)) : same_a;
    const auto vb = vary_b ? load_partial(d, b + i, n - i, T(0)) : same_b;
    store_partial(f(va, vb), d, y + i, n - i);
  }
}

template <class F, class T>
void binary_row(const T* a, int a_stride, const T* b, int b_stride, T* y, std::int64_t n,
                const FunctionParameters& parameters) {
  if (a_stride != 0 && b_stride != 0) return binary_row<F, true, true>(a, b, y, n, parameters);
  if (a_stride != 0) return binary_row<F, true, false>(a, b, y, n, parameters);
  if (b_stride != 0) return binary_row<F, false, true>(a, b, y, n, parameters);
  binary_row<F, false, false>(a, b, y, n, parameters);
}

/// Of f(d, x) or f(d, x, parameters), a lambda without captures that maps a vector of the tag d.
template <class F>
UnaryRows unary_rows(F /*f*/) {
  return {unary_row<F, float>, unary_row<F, double>};
}
/// Of f(d, a, b) or f(d, a, b, parameters).
template <class F>
BinaryRows binary_rows(F /*f*/) {
  return {binary_row<F, float>, binary_row<F, double>};
}

}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
