#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/simd/targets.h>
#include <gradmill/ops/softplus.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/softplus.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/elementwise/rows-inl.h>
// clang-format on

#include <cmath>

// Compiled once per instruction set. The parameters p are beta and threshold.
HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

// log(1 + e^z) = max(z, 0) + log1p(e^-|z|): nothing overflows, and small results keep their digits.
UnaryRows softplus_rows() {
  return unary_rows([](auto d, auto x, const FunctionParameters& p) HWY_ATTR {
    const auto beta = hn::Set(d, p[0]);
    const auto z = hn::Mul(beta, x);
    const auto e = exp_of_nonpositive(d, hn::Neg(hn::Abs(z)));
    const auto y = hn::Div(hn::Add(hn::ZeroIfNegative(z), hn::Log1p(d, e)), beta);
    return hn::IfThenElse(hn::Gt(z, hn::Set(d, p[1])), x, y);
  });
}

BinaryRows softplus_backward_rows() {
  return binary_rows([](auto d, auto dy, auto x, const FunctionParameters& p) HWY_ATTR {
    const auto z = hn::Mul(hn::Set(d, p[0]), x);
    return hn::IfThenElse(hn::Gt(z, hn::Set(d, p[1])), dy, hn::Mul(dy, sigmoid_of(d, z)));
  });
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Compiled once.
#if HWY_ONCE
namespace gradmill {
namespace {

GRADMILL_UNARY(kSoftplus, softplus, .costly = true, .follows_product = true);
GRADMILL_BINARY(kSoftplusBackward, softplus_backward, .costly = true, .follows_product = true);

Value times_slope(Value dy, Value x, const FunctionParameters& own);

// dx = dy s(x) with the slope s of softplus, for which s' = beta s (1 - s), also where s is 1.
class SoftplusBackward final : public BinaryOp {
 public:
  explicit SoftplusBackward(const FunctionParameters& own)
      : BinaryOp(kSoftplusBackward.with(own)) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value u = context.upstream[0];
    const Value dy = context.inputs[0];
    const Value x = context.inputs[1];
    const FunctionParameters& own = function().parameters;
    std::vector<Value> result(2);
    if (context.needed[0]) result[0] = times_slope(u, x, own);
    if (context.needed[1]) {
      const Value s = times_slope(x.graph().constant(1, {}, x.dtype()), x, own);
      result[1] = u * dy * (own[0] * s * (1.0 - s));
    }
    return result;
  }
};

Value times_slope(Value dy, Value x, const FunctionParameters& own) {
  return add_op(std::make_shared<const SoftplusBackward>(own), {dy, x}, {});
}

class Softplus final : public UnaryOp {
 public:
  explicit Softplus(const FunctionParameters& own) : UnaryOp(kSoftplus.with(own)) {}
  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const auto [beta, threshold] = function().parameters;
    check(std::isfinite(beta) && beta != 0, "beta must be finite and not 0, got ", beta);
    check(!std::isnan(threshold), "threshold must be a number, got ", threshold);
    return UnaryOp::infer(inputs);
  }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {times_slope(context.upstream[0], context.inputs[0], function().parameters)};
  }
};

}  // namespace

Value softplus(Value x, const SoftplusOptions& options, std::string name) {
  const FunctionParameters own = {options.beta, options.threshold};
  return add_op(std::make_shared<const Softplus>(own), {x}, std::move(name));
}

}  // namespace gradmill
#endif
