// Internal: the functions behind gelu and silu, with their derivatives. Included once a target,
// like Highway's own -inl headers.

// clang-format off
#if defined(GRADMILL_OPS_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_ACTIVATION_INL_H_
#undef GRADMILL_OPS_ACTIVATION_INL_H_
#else
#define GRADMILL_OPS_ACTIVATION_INL_H_
#endif
// clang-format on

#include <hwy/highway.h>

#include <gradmill/ops/exp-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A distribution's probability P(x) of numbers below x, and its derivative.
template <class V>
struct Probability {
  V below;
  V slope;
};

/// 1 / (1 + e^-x), without overflow or cancellation on either side: also the slope keeps its
/// digits, where below (1 - below) would lose them.
template <class D, class V = hn::Vec<D>>
HWY_INLINE Probability<V> logistic_of(D d, V x) {
  const V one = hn::Set(d, hn::TFromD<D>(1));
  const V e = exp_of_nonpositive(d, hn::Neg(hn::Abs(x)));
  const V more = hn::Div(one, hn::Add(one, e));
  const V less = hn::Mul(e, more);
  return {hn::IfThenElse(hn::Lt(x, hn::Zero(d)), less, more), hn::Mul(less, more)};
}

/// |x|, at most `most`, with x's sign; NaN stays NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V clamped(D d, V x, hn::TFromD<D> most) {
  const V limit = hn::Set(d, most);
  return hn::IfThenElse(hn::Lt(limit, hn::Abs(x)), hn::CopySign(limit, x), x);
}

/// The standard normal distribution.
///
/// Beyond 0, what is left of it is Q(z) = e^(-z^2 / 2) q(z), where q falls slowly from 1/2 to 0:
/// (z + k) q(z) is smooth and stays between 0.4 and k / 2. It is a polynomial in s = a - b / (z +
/// k), in which 0 <= z <= kMost becomes -1 <= s <= 1; its coefficients are those of the Chebyshev
/// series, with a relative error below 2^-29 (f32, k = 3) and 2^-61 (f64, k = 5). From kMost on,
/// e^(-z^2 / 2) is 0.
template <class V>
struct NormalTail {
  V weight;  ///< e^(-z^2 / 2)
  V beyond;  ///< Q(z)
};

template <class D, class V, class T = hn::TFromD<D>, std::size_t n>
HWY_INLINE NormalTail<V> normal_tail(D d, V z, T k, T a, T b, const T (&coefficients)[n]) {
  const V weight = exp_of_nonpositive(d, hn::Mul(hn::Mul(z, z), hn::Set(d, T(-0.5))));
  const V r = hn::Div(hn::Set(d, T(1)), hn::Add(z, hn::Set(d, k)));
  const V s = hn::NegMulAdd(hn::Set(d, b), r, hn::Set(d, a));
  V q = hn::Set(d, coefficients[0]);
  for (std::size_t i = 1; i < n; ++i) q = hn::MulAdd(q, s, hn::Set(d, coefficients[i]));
  return {weight, hn::Mul(hn::Mul(weight, r), q)};
}

template <class D, class V = hn::Vec<D>>
requires(sizeof(hn::TFromD<D>) == 4) HWY_INLINE NormalTail<V> normal_tail(D d, V z) {
  constexpr float kCoefficients[] = {0x1.1780f4p-17F,  0x1.e28d0ep-18F, -0x1.5fd47ap-14F,
                                     -0x1.50d78ap-13F, 0x1.57c73cp-11F, 0x1.148f0ep-9F,
                                     -0x1.ea2054p-8F,  -0x1.659838p-6F, 0x1.633216p-3F,
                                     -0x1.f6905p-2F,   0x1.a5473ap-1F};
  return normal_tail(d, z, 3.0F, 0x1.69349ap0F, 0x1.cee774p2F, kCoefficients);
}

template <class D, class V = hn::Vec<D>>
requires(sizeof(hn::TFromD<D>) == 8) HWY_INLINE NormalTail<V> normal_tail(D d, V z) {
  constexpr double kCoefficients[] = {
      -0x1.95db1b51e58c4p-36, -0x1.9386f41500629p-37, 0x1.4dc42a6ad19c4p-32, 0x1.29e28d5822472p-32,
      -0x1.59feec6b216c8p-29, -0x1.e0d56fcdf2a06p-29, 0x1.49f4c486ee9dp-26,  0x1.2b2b6b24aa699p-25,
      -0x1.592d9eb65af99p-23, -0x1.3ce482940421ep-22, 0x1.a956a0b847b96p-20, 0x1.f258822b7ac69p-20,
      -0x1.2acd22fe9257fp-16, 0x1.2c0d1fc0b95c2p-18,  0x1.953a45a30682fp-13, -0x1.12e94359fe45ep-11,
      -0x1.c45428fbad735p-11, 0x1.6a971e4afb1c5p-7,   -0x1.789c3a7427ae4p-5, 0x1.07842bcdd8e81p-3,
      -0x1.1bdf28be218e6p-2,  0x1.ef9b0c175bfafp-2,   -0x1.6707186ca2d96p-1, 0x1.b410aa4371b2cp-1};
  return normal_tail(d, z, 5.0, 0x1.41a41a41a41a4p0, 0x1.6906906906907p3, kCoefficients);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE Probability<V> normal_of(D d, V x) {
  using T = hn::TFromD<D>;
  constexpr T kMost = sizeof(T) == 4 ? T(14.6) : T(39);
  const auto [weight, beyond] = normal_tail(d, hn::Abs(clamped(d, x, kMost)));
  const V rest = hn::Sub(hn::Set(d, T(1)), beyond);
  constexpr T kScale = T(0.398942280401432677939946);  // 1 / sqrt(2 pi)
  return {hn::IfThenElse(hn::Lt(x, hn::Zero(d)), beyond, rest),
          hn::Mul(weight, hn::Set(d, kScale))};
}

/// The approximation to it by tanh u, as a logistic distribution of 2u = x (a + b x^2).
template <class D, class V = hn::Vec<D>>
HWY_INLINE Probability<V> normal_by_tanh(D d, V x) {
  using T = hn::TFromD<D>;
  constexpr T kA = T(1.59576912160573071175978);  // 2 sqrt(2 / pi)
  constexpr T kB = kA * T(0.044715);
  // Beyond, the slope is 0, and the cube would overflow.
  x = clamped(d, x, T(30));
  const V square = hn::Mul(x, x);
  const V twice = hn::Mul(x, hn::MulAdd(square, hn::Set(d, kB), hn::Set(d, kA)));
  const auto [below, slope] = logistic_of(d, twice);
  return {below, hn::Mul(slope, hn::MulAdd(square, hn::Set(d, 3 * kB), hn::Set(d, kA)))};
}

/// d (x P(x)) / dx. Where x is infinite, the slope is 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V derivative_of_product(D d, V x, const Probability<V>& p) {
  return hn::MulAdd(clamped(d, x, hn::TFromD<D>(1e30)), p.slope, p.below);
}

}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
