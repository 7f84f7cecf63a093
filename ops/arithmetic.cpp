#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/reduce/sum_and_broadcast.h>

namespace gradmill {
namespace {

class Add final : public BinaryOp {
 public:
  Add() : BinaryOp(kAdd) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    std::vector<Value> result(2);
    for (std::size_t i = 0; i < 2; ++i) {
      if (context.needed[i]) {
        result[i] = unbroadcast(context.upstream[0], context.inputs[i].shape());
      }
    }
    return result;
  }
};

class Sub final : public BinaryOp {
 public:
  Sub() : BinaryOp(kSub) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value dy = context.upstream[0];
    std::vector<Value> result(2);
    if (context.needed[0]) result[0] = unbroadcast(dy, context.inputs[0].shape());
    if (context.needed[1]) result[1] = neg(unbroadcast(dy, context.inputs[1].shape()));
    return result;
  }
};

class Mul final : public BinaryOp {
 public:
  Mul() : BinaryOp(kMul) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value dy = context.upstream[0];
    std::vector<Value> result(2);
    for (std::size_t i = 0; i < 2; ++i) {
      if (context.needed[i]) {
        result[i] = unbroadcast(dy * context.inputs[1 - i], context.inputs[i].shape());
      }
    }
    return result;
  }
};

class Div final : public BinaryOp {
 public:
  Div() : BinaryOp(kDiv) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value b = context.inputs[1];
    const Value da = context.upstream[0] / b;
    std::vector<Value> result(2);
    if (context.needed[0]) result[0] = unbroadcast(da, context.inputs[0].shape());
    if (context.needed[1]) result[1] = neg(unbroadcast(da * context.outputs[0], b.shape()));
    return result;
  }
};

class Neg final : public UnaryOp {
 public:
  Neg() : UnaryOp(kNeg) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {neg(context.upstream[0])};
  }
};

// A scalar of the dtype of `like`. The dtype is checked before the constant is added, so that a
// refused call leaves the graph as it was.
Value scalar(std::string_view op, const std::string& name, double value, Value like) {
  check(is_floating(like.dtype()), op, " '", name, "': needs f32 or f64, got ", like.type());
  return like.graph().constant(value, {}, like.dtype());
}

}  // namespace

Value add(Value a, Value b, std::string name) {
  return add_op(std::make_shared<const Add>(), {a, b}, std::move(name));
}

Value sub(Value a, Value b, std::string name) {
  return add_op(std::make_shared<const Sub>(), {a, b}, std::move(name));
}

Value mul(Value a, Value b, std::string name) {
  return add_op(std::make_shared<const Mul>(), {a, b}, std::move(name));
}

Value div(Value a, Value b, std::string name) {
  return add_op(std::make_shared<const Div>(), {a, b}, std::move(name));
}

Value add(Value a, double b, std::string name) {
  const Value constant = scalar("add", name, b, a);
  return add(a, constant, std::move(name));
}

Value sub(Value a, double b, std::string name) {
  const Value constant = scalar("sub", name, b, a);
  return sub(a, constant, std::move(name));
}

Value mul(Value a, double b, std::string name) {
  const Value constant = scalar("mul", name, b, a);
  return mul(a, constant, std::move(name));
}

Value div(Value a, double b, std::string name) {
  const Value constant = scalar("div", name, b, a);
  return div(a, constant, std::move(name));
}

Value sub(double a, Value b, std::string name) {
  const Value constant = scalar("sub", name, a, b);
  return sub(constant, b, std::move(name));
}

Value div(double a, Value b, std::string name) {
  const Value constant = scalar("div", name, a, b);
  return div(constant, b, std::move(name));
}

Value neg(Value x, std::string name) {
  return add_op(std::make_shared<const Neg>(), {x}, std::move(name));
}

}  // namespace gradmill
