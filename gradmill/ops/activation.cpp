#include <gradmill/ops/activation.h>
#include <gradmill/ops/elementwise.h>

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

}  // namespace

Value relu(Value x, std::string name) {
  return add_op(std::make_shared<const Relu>(), {x}, std::move(name));
}

Value relu_backward(Value grad, Value y, std::string name) {
  return add_op(std::make_shared<const ReluBackward>(), {grad, y}, std::move(name));
}

}  // namespace gradmill
