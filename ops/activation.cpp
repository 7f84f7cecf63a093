#include <gradmill/ops/activation.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/math.h>

namespace gradmill {
namespace {

class ReluBackward final : public BinaryOp {
 public:
  ReluBackward() : BinaryOp(Binary::relu_backward) {}
  std::string_view name() const override { return "relu_backward"; }
  bool differentiable(int input) const override { return input == 0; }
  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check(inputs[0].shape == inputs[1].shape, "the gradient's shape ", inputs[0].shape,
          " must be the result's, ", inputs[1].shape);
    return BinaryOp::infer(inputs);
  }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {relu_backward(context.upstream[0], context.inputs[1]), Value()};
  }
};

class Relu final : public UnaryOp {
 public:
  Relu() : UnaryOp(Unary::relu) {}
  std::string_view name() const override { return "relu"; }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {relu_backward(context.upstream[0], context.outputs[0])};
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

Value second_derivative(Binary kind, Value x) {
  if (kind == Binary::gelu_backward) return second_of_gelu(x);
  if (kind == Binary::gelu_tanh_backward) return second_of_gelu_tanh(x);
  return second_of_silu(x);
}

// dx = dy f'(x), in one pass over dy and x.
class ActivationBackward final : public BinaryOp {
 public:
  using BinaryOp::BinaryOp;
  std::string_view name() const override { return to_string(kind()); }
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value u = context.upstream[0];
    const Value dy = context.inputs[0];
    const Value x = context.inputs[1];
    std::vector<Value> result(2);
    if (context.needed[0]) {
      result[0] = add_op(std::make_shared<const ActivationBackward>(kind()), {u, x}, {});
    }
    if (context.needed[1]) result[1] = u * dy * second_derivative(kind(), x);
    return result;
  }
};

// y = f(x), of which the gradient needs x.
class Activation final : public UnaryOp {
 public:
  Activation(Unary kind, Binary backward) : UnaryOp(kind), backward_(backward) {}
  std::string_view name() const override { return to_string(kind()); }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const ActivationBackward>(backward_),
                   {context.upstream[0], context.inputs[0]}, {})};
  }

 private:
  Binary backward_;
};

}  // namespace

Value gelu(Value x, Approximate approximate, std::string name) {
  const auto op =
      approximate == Approximate::tanh
          ? std::make_shared<const Activation>(Unary::gelu_tanh, Binary::gelu_tanh_backward)
          : std::make_shared<const Activation>(Unary::gelu, Binary::gelu_backward);
  return add_op(op, {x}, std::move(name));
}

Value silu(Value x, std::string name) {
  return add_op(std::make_shared<const Activation>(Unary::silu, Binary::silu_backward), {x},
                std::move(name));
}

Value relu(Value x, std::string name) {
  return add_op(std::make_shared<const Relu>(), {x}, std::move(name));
}

Value relu_backward(Value grad, Value y, std::string name) {
  return add_op(std::make_shared<const ReluBackward>(), {grad, y}, std::move(name));
}

}  // namespace gradmill
