#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/math.h>

namespace gradmill {
namespace {

class Exp final : public UnaryOp {
 public:
  Exp() : UnaryOp(Unary::exp) {}
  std::string_view name() const override { return "exp"; }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {context.upstream[0] * context.outputs[0]};
  }
};

class Log final : public UnaryOp {
 public:
  Log() : UnaryOp(Unary::log) {}
  std::string_view name() const override { return "log"; }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {context.upstream[0] / context.inputs[0]};
  }
};

class Sqrt final : public UnaryOp {
 public:
  Sqrt() : UnaryOp(Unary::sqrt) {}
  std::string_view name() const override { return "sqrt"; }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {context.upstream[0] / (2.0 * context.outputs[0])};
  }
};

// dx = dy (1 - y^2), in one pass.
class TanhBackward final : public BinaryOp {
 public:
  TanhBackward() : BinaryOp(Binary::tanh_backward) {}
  std::string_view name() const override { return "tanh_backward"; }
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
  Tanh() : UnaryOp(Unary::tanh) {}
  std::string_view name() const override { return "tanh"; }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const TanhBackward>(),
                   {context.upstream[0], context.outputs[0]}, {})};
  }
};

// dx = dy y (1 - y), in one pass.
class SigmoidBackward final : public BinaryOp {
 public:
  SigmoidBackward() : BinaryOp(Binary::sigmoid_backward) {}
  std::string_view name() const override { return "sigmoid_backward"; }
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
  Sigmoid() : UnaryOp(Unary::sigmoid) {}
  std::string_view name() const override { return "sigmoid"; }
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
