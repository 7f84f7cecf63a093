#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/elementwise/arithmetic.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/elementwise/rows-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

BinaryRows add_rows() {
  return binary_rows([](auto, auto a, auto b) HWY_ATTR { return hn::Add(a, b); });
}
BinaryRows sub_rows() {
  return binary_rows([](auto, auto a, auto b) HWY_ATTR { return hn::Sub(a, b); });
}
BinaryRows mul_rows() {
  return binary_rows([](auto, auto a, auto b) HWY_ATTR { return hn::Mul(a, b); });
}
BinaryRows div_rows() {
  return binary_rows([](auto, auto a, auto b) HWY_ATTR { return hn::Div(a, b); });
}
UnaryRows neg_rows() {
  return unary_rows([](auto, auto x) HWY_ATTR { return hn::Neg(x); });
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {

GRADMILL_BINARY(kAdd, add);
GRADMILL_BINARY(kSub, sub);
GRADMILL_BINARY(kMul, mul);
GRADMILL_BINARY(kDiv, div);
GRADMILL_UNARY(kNeg, neg, .follows_product = true);

}  // namespace gradmill
#endif
