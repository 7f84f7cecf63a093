// E^x for x <= 0. Included once per target, like Highway's own -inl headers.

// clang-format off
#if defined(GRADMILL_OPS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_EXP_INL_H_
#undef GRADMILL_OPS_EXP_INL_H_
#else
#define GRADMILL_OPS_EXP_INL_H_
#endif
// clang-format on

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The larger, and NaN where x is.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V at_least([[maybe_unused]] D d, V least, V x) {
#if HWY_TARGET == HWY_SCALAR
  return hn::IfThenElse(hn::Lt(x, least), least, x);
#else
  return hn::Max(least, x);  // x86 takes the second operand where either is NaN
#endif
}

/// e^x for x <= 0, within 1 ulp (1.25 without a fused product), where it cannot overflow: e^0 is 1,
/// results may be denormal, and NaN stays NaN.
///
/// x = n log 2 + r with |r| <= (log 2) / 2, and e^r = 1 + r + r^2 (...), whose coefficients
/// minimise the largest relative error, 0.06 * 2^-24. The sum with kMagic rounds x / log 2 to n and
/// leaves n + 151 in the low bits: as an exponent that is 2^(n + 24), normal for all n >= -150, and
/// 0 for n = -151, where everything smaller is clamped. The last factor alone makes denormal
/// numbers.
template <class D, class V = hn::Vec<D>>
requires(sizeof(hn::TFromD<D>) == 4) HWY_INLINE V exp_of_nonpositive(D d, V x) {
  const hn::RebindToUnsigned<D> du;
  constexpr float kMagic = 0x1.8p23F + 24 + 127;
  const V magic = hn::Set(d, kMagic);
  x = at_least(d, hn::Set(d, -104.7F), x);
  const V shifted = hn::MulAdd(x, hn::Set(d, 0x1.715476p0F), magic);
  const V n = hn::Sub(shifted, magic);
  // n times the first part of log 2 is exact also without a fused product.
  V r = hn::NegMulAdd(n, hn::Set(d, 0x1.62e4p-1F), x);
  r = hn::NegMulAdd(n, hn::Set(d, 0x1.7f7d1cp-20F), r);
  V e = hn::Set(d, 0x1.6a2434p-10F);
  for (const float c :
       {0x1.1239e2p-7F, 0x1.5558f2p-5F, 0x1.555492p-3F, 0x1.fffffcp-2F, 1.0F, 1.0F}) {
    e = hn::MulAdd(e, r, hn::Set(d, c));
  }
  const V scale = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(du, shifted)));
  return hn::Mul(hn::Mul(e, scale), hn::Set(d, 0x1p-24F));
}

/// Highway's, which turns NaN into 0.
template <class D, class V = hn::Vec<D>>
requires(sizeof(hn::TFromD<D>) == 8) HWY_INLINE V exp_of_nonpositive(D d, V x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
}

}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
