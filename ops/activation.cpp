#include <gradmill/ops/activation.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/math.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/activation.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/elementwise/activation-inl.h>
#include <gradmill/ops/elementwise/rows-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

UnaryRows relu_rows() {
  return unary_rows([](auto d, auto x)
                        HWY_ATTR { return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x); });
}

BinaryRows relu_backward_rows() {
  return binary_rows([](auto d, auto dy, auto y)
                         HWY_ATTR { return hn::IfThenZeroElse(hn::Le(y, hn::Zero(d)), dy); });
}

UnaryRows gelu_rows() {
  return unary_rows([](auto d, auto x) HWY_ATTR { return hn::Mul(x, normal_of(d, x).below); });
}

BinaryRows gelu_backward_rows() {
  return binary_rows([](auto d, auto dy, auto x) HWY_ATTR {
    return hn::Mul(dy, derivative_of_product(d, x, normal_of(d, x)));
  });
}

UnaryRows gelu_tanh_rows() {
  return unary_rows([](auto d, auto x) HWY_ATTR { return hn::Mul(x, normal_by_tanh(d, x).below); });
}

BinaryRows gelu_tanh_backward_rows() {
  return binary_rows([](auto d, auto dy, auto x) HWY_ATTR {
    return hn::Mul(dy, derivative_of_product(d, x, normal_by_tanh(d, x)));
  });
}

UnaryRows silu_rows() {
  return unary_rows([](auto d, auto x) HWY_ATTR { return hn::Mul(x, logistic_of(d, x).below); });
}

BinaryRows silu_backward_rows() {
  return binary_rows([](auto d, auto dy, auto x) HWY_ATTR {
    return hn::Mul(dy, derivative_of_product(d, x, logistic_of(d, x)));
  });
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

GRADMILL_UNARY(kRelu, relu, .follows_product = true);
GRADMILL_BINARY(kReluBackward, relu_backward, .follows_product = true);
GRADMILL_UNARY(kGelu, gelu, .costly = true, .follows_product = true);
GRADMILL_BINARY(kGeluBackward, gelu_backward, .costly = true, .follows_product = true);
GRADMILL_UNARY(kGeluTanh, gelu_tanh, .costly = true, .follows_product = true);
GRADMILL_BINARY(kGeluTanhBackward, gelu_tanh_backward, .costly = true, .follows_product = true);
GRADMILL_UNARY(kSilu, silu, .costly = true, .follows_product = true);
GRADMILL_BINARY(kSiluBackward, silu_backward, .costly = true, .follows_product = true);

// dx = y <= 0 ? 0 : dy, in one pass over dy and y.
class ReluBackward final : public BinaryOp {
 public:
  ReluBackward() : BinaryOp(kReluBackward) {}
  bool differentiable(int input) const override { return input == 0; }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const ReluBackward>(), {context.upstream[0], context.inputs[1]},
                   {}),
            Value()};
  }
};

class Relu final : public UnaryOp {
 public:
  Relu() : UnaryOp(kRelu) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const ReluBackward>(),
                   {context.upstream[0], context.outputs[0]}, {})};
  }
};

// f''(x) of gelu: with P' = e^(-x^2 / 2) / sqrt(2 pi) and P'' = -x P', it is 2 P' + x P''.
Value second_of_gelu(Value x) {
  constexpr double kScale = 0.398942280401432677939946;  // 1 / sqrt(2 pi)
  const Value square = x * x;
  return exp(square * -0.5) * (2.0 - square) * kScale;
}

// With t = tanh u, P = (1 + t) / 2, it is again 2 P' + x P'': t' = (1 - t^2) u', and
// t'' = (1 - t^2) (u'' - 2 t u'^2).
Value second_of_gelu_tanh(Value x) {
  constexpr double kA = 0.797884560802865355879892;  // sqrt(2 / pi)
  constexpr double kB = kA * 0.044715;
  const Value square = x * x;
  const Value t = tanh(x * (kA + kB * square));
  const Value slope = kA + 3 * kB * square;
  return (1.0 - t * t) * (slope + x * (3 * kB * x - t * slope * slope));
}

// With s' = s (1 - s), 2 s' + x s'' = s' (2 + x (1 - 2 s)).
Value second_of_silu(Value x) {
  const Value s = sigmoid(x);
  return s * (1.0 - s) * (2.0 + x * (1.0 - 2.0 * s));
}

// What the derivatives of f are: dx = dy f'(x), in one pass over dy and x, and f''(x).
struct Derivatives {
  BinaryFunction first;
  Value (*second)(Value x);
};

class ActivationBackward final : public BinaryOp {
 public:
  explicit ActivationBackward(const Derivatives& derivatives)
      : BinaryOp(derivatives.first), derivatives_(derivatives) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value u = context.upstream[0];
    const Value dy = context.inputs[0];
    const Value x = context.inputs[1];
    std::vector<Value> result(2);
    if (context.needed[0]) {
      result[0] = add_op(std::make_shared<const ActivationBackward>(derivatives_), {u, x}, {});
    }
    if (context.needed[1]) result[1] = u * dy * derivatives_.second(x);
    return result;
  }

 private:
  Derivatives derivatives_;
};

// y = f(x), of which the gradient needs x.
class Activation final : public UnaryOp {
 public:
  Activation(const UnaryFunction& function, const Derivatives& derivatives)
      : UnaryOp(function), derivatives_(derivatives) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const ActivationBackward>(derivatives_),
                   {context.upstream[0], context.inputs[0]}, {})};
  }

 private:
  Derivatives derivatives_;
};

Value activate(Value x, const UnaryFunction& function, const Derivatives& derivatives,
               std::string name) {
  return add_op(std::make_shared<const Activation>(function, derivatives), {x}, std::move(name));
}

}  // namespace

Value gelu(Value x, Approximate approximate, std::string name) {
  if (approximate == Approximate::tanh) {
    return activate(x, kGeluTanh, {kGeluTanhBackward, second_of_gelu_tanh}, std::move(name));
  }
  return activate(x, kGelu, {kGeluBackward, second_of_gelu}, std::move(name));
}

Value silu(Value x, std::string name) {
  return activate(x, kSilu, {kSiluBackward, second_of_silu}, std::move(name));
}

Value relu(Value x, std::string name) {
  return add_op(std::make_shared<const Relu>(), {x}, std::move(name));
}

}  // namespace gradmill
#endif
