// The functions behind gelu and silu, with their derivatives. Included once per target,
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

#include <gradmill/ops/simd/exp-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A distribution's probability P(x) of numbers below x, and its derivative. For NaN they may be
/// anything: both are multiplied by x.
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

/// What lies beyond z >= 0 of the standard normal distribution, and what makes it small there:
/// Q(z) = e^(-z^2 / 2) q(z), where q falls slowly from 1/2 to 0.
///
/// (z + 4) q(z) is smooth and stays between 0.4 and 2. It is a polynomial in s = (a z - 4) / (z +
/// 4), in which 0 <= z <= kMost becomes -1 <= s <= 1; its coefficients are those of the Chebyshev
/// series there, with a relative error below 2^-28 (f32) and 2^-58 (f64).
template <class V>
struct NormalTail {
  V beyond;  ///< Q(z)
  V weight;  ///< e^(-z^2 / 2)
};

template <class D, class V, class T = hn::TFromD<D>, std::size_t n>
HWY_INLINE NormalTail<V> normal_tail(D d, V z, T a, const T (&coefficients)[n]) {
  const V weight = exp_of_nonpositive(d, hn::Mul(hn::Mul(z, z), hn::Set(d, T(-0.5))));
  const V four = hn::Set(d, T(4));
  const V r = hn::Div(hn::Set(d, T(1)), hn::Add(z, four));
  const V s = hn::Mul(hn::MulSub(hn::Set(d, a), z, four), r);
  V q = hn::Set(d, coefficients[0]);
  for (std::size_t i = 1; i < n; ++i) q = hn::MulAdd(q, s, hn::Set(d, coefficients[i]));
  return {hn::Mul(hn::Mul(weight, r), q), weight};
}

template <class D, class V = hn::Vec<D>>
requires(sizeof(hn::TFromD<D>) == 4) HWY_INLINE NormalTail<V> normal_tail(D d, V z) {
  constexpr float kCoefficients[] = {-0x1.312adcp-18F, -0x1.cc8f6cp-17F, 0x1.3552f2p-14F,
                                     0x1.8b7554p-13F,  -0x1.55c06ap-10F, -0x1.f304ecp-12F,
                                     0x1.97be5ap-6F,   -0x1.ddb8d6p-4F,  0x1.4b258ep-2F,
                                     -0x1.429f6ep-1F,  0x1.cfd316p-1F};
  return normal_tail(d, z, 0x1.8c4624p0F, kCoefficients);
}

template <class D, class V = hn::Vec<D>>
requires(sizeof(hn::TFromD<D>) == 8) HWY_INLINE NormalTail<V> normal_tail(D d, V z) {
  constexpr double kCoefficients[] = {
      -0x1.43dcfd3db3c4p-34,  -0x1.efeee0485b6b5p-34, 0x1.7a2007b1263a2p-31,  0x1.ce66cacb78b2ap-30,
      -0x1.6905963823051p-29, -0x1.d954ffdb7348bp-27, -0x1.ea767db9346c4p-30, 0x1.685737fbaa63bp-24,
      0x1.e951c6a4bce73p-24,  -0x1.d381aaffad832p-22, -0x1.45a949d99c8dfp-20, 0x1.25225b5a91219p-19,
      0x1.5f19e1c86cda9p-17,  -0x1.c9169c54a68c3p-17, -0x1.73120cfb928ffp-14, 0x1.34b7ba22f156cp-13,
      0x1.829ef4866347fp-11,  -0x1.47df09ae9e871p-9,  -0x1.ab24bb9c16ef9p-9,  0x1.5f7d16c98cfcbp-5,
      -0x1.403ee4267ee07p-3,  0x1.74a3f7b5dd65fp-2,   -0x1.3e13b4fbc6b1bp-1,  0x1.a17408cb392e1p-1};
  return normal_tail(d, z, 0x1.3483483483483p0, kCoefficients);
}

/// The standard normal distribution.
template <class D, class V = hn::Vec<D>>
HWY_INLINE Probability<V> normal_of(D d, V x) {
  using T = hn::TFromD<D>;
  constexpr T kMost = sizeof(T) == 4 ? T(14.6) : T(39);  // where the weight is 0
  const auto [beyond, weight] = normal_tail(d, hn::Min(hn::Abs(x), hn::Set(d, kMost)));
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
  // Beyond, the slope is 0, and the square would overflow.
  const V square = hn::Min(hn::Mul(x, x), hn::Set(d, T(900)));
  const V twice = hn::Mul(x, hn::MulAdd(square, hn::Set(d, kB), hn::Set(d, kA)));
  const auto [below, slope] = logistic_of(d, twice);
  return {below, hn::Mul(slope, hn::MulAdd(square, hn::Set(d, 3 * kB), hn::Set(d, kA)))};
}

/// d (x P(x)) / dx.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V derivative_of_product(D /*d*/, V x, const Probability<V>& p) {
  return hn::MulAdd(x, p.slope, p.below);
}

}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
