#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/math.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/math.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/elementwise/rows-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

UnaryRows exp_rows() {
  return unary_rows([](auto d, auto x) HWY_ATTR { return exp_of(d, x); });
}

UnaryRows log_rows() {
  return unary_rows([](auto d, auto x) HWY_ATTR { return log_of(d, x); });
}

UnaryRows sqrt_rows() {
  return unary_rows([](auto, auto x) HWY_ATTR { return hn::Sqrt(x); });
}

UnaryRows tanh_rows() {
  return unary_rows([](auto d, auto x) HWY_ATTR { return hn::Tanh(d, x); });
}

// dy (1 - y^2).
BinaryRows tanh_backward_rows() {
  return binary_rows([](auto d, auto dy, auto y)
                         HWY_ATTR { return hn::Mul(dy, hn::NegMulAdd(y, y, hn::Set(d, 1))); });
}

UnaryRows sigmoid_rows() {
  return unary_rows([](auto d, auto x) HWY_ATTR { return sigmoid_of(d, x); });
}

// dy y (1 - y).
BinaryRows sigmoid_backward_rows() {
  return binary_rows([](auto d, auto dy, auto y)
                         HWY_ATTR { return hn::Mul(hn::Mul(dy, y), hn::Sub(hn::Set(d, 1), y)); });
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

GRADMILL_UNARY(kExp, exp, .costly = true, .follows_product = true);
GRADMILL_UNARY(kLog, log, .costly = true, .follows_product = true);
GRADMILL_UNARY(kSqrt, sqrt, .follows_product = true);
GRADMILL_UNARY(kTanh, tanh, .costly = true, .follows_product = true);
GRADMILL_BINARY(kTanhBackward, tanh_backward, .follows_product = true);
GRADMILL_UNARY(kSigmoid, sigmoid, .costly = true, .follows_product = true);
GRADMILL_BINARY(kSigmoidBackward, sigmoid_backward, .follows_product = true);

class Exp final : public UnaryOp {
 public:
  Exp() : UnaryOp(kExp) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {context.upstream[0] * context.outputs[0]};
  }
};

class Log final : public UnaryOp {
 public:
  Log() : UnaryOp(kLog) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {context.upstream[0] / context.inputs[0]};
  }
};

class Sqrt final : public UnaryOp {
 public:
  Sqrt() : UnaryOp(kSqrt) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {context.upstream[0] / (2.0 * context.outputs[0])};
  }
};

// dx = dy (1 - y^2), in one pass.
class TanhBackward final : public BinaryOp {
 public:
  TanhBackward() : BinaryOp(kTanhBackward) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value u = context.upstream[0];
    const Value dy = context.inputs[0];
    const Value y = context.inputs[1];
    std::vector<Value> result(2);
    if (context.needed[0]) result[0] = add_op(std::make_shared<const TanhBackward>(), {u, y}, {});
    if (context.needed[1]) result[1] = u * dy * y * -2.0;
    return result;
  }
};

class Tanh final : public UnaryOp {
 public:
  Tanh() : UnaryOp(kTanh) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const TanhBackward>(),
                   {context.upstream[0], context.outputs[0]}, {})};
  }
};

// dx = dy y (1 - y), in one pass.
class SigmoidBackward final : public BinaryOp {
 public:
  SigmoidBackward() : BinaryOp(kSigmoidBackward) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value u = context.upstream[0];
    const Value dy = context.inputs[0];
    const Value y = context.inputs[1];
    std::vector<Value> result(2);
    if (context.needed[0]) {
      result[0] = add_op(std::make_shared<const SigmoidBackward>(), {u, y}, {});
    }
    if (context.needed[1]) result[1] = u * dy * (1.0 - 2.0 * y);
    return result;
  }
};

class Sigmoid final : public UnaryOp {
 public:
  Sigmoid() : UnaryOp(kSigmoid) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const SigmoidBackward>(),
                   {context.upstream[0], context.outputs[0]}, {})};
  }
};

}  // namespace

Value exp(Value x, std::string name) {
  return add_op(std::make_shared<const Exp>(), {x}, std::move(name));
}

Value log(Value x, std::string name) {
  return add_op(std::make_shared<const Log>(), {x}, std::move(name));
}

Value sqrt(Value x, std::string name) {
  return add_op(std::make_shared<const Sqrt>(), {x}, std::move(name));
}

Value tanh(Value x, std::string name) {
  return add_op(std::make_shared<const Tanh>(), {x}, std::move(name));
}

Value sigmoid(Value x, std::string name) {
  return add_op(std::make_shared<const Sigmoid>(), {x}, std::move(name));
}

}  // namespace gradmill
#endif
