#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/math.h>
#include <gradmill/ops/reduce.h>
#include <gradmill/ops/softmax.h>
#include <gradmill/ops/softmax/loops.h>
#include <gradmill/ops/tiles/middle_axis.h>

namespace gradmill {
namespace {

template <class T>
class SoftmaxKernel final : public Kernel {
 public:
  SoftmaxKernel(const SoftmaxFunction& function, const Shape& shape, int axis)
      : function_(function), axis_(shape, axis) {}

  std::int64_t tiles(int) const override { return axis_.tiles(); }
  std::size_t scratch_bytes() const override {
    if (axis_.inner == 1) return 0;
    return static_cast<std::size_t>(kSoftmaxScratch * axis_.columns) * sizeof(T);
  }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const T* x = run.input<T>(0);
    const T* dy = function_.backward ? run.input<T>(1) : x;
    T* y = run.output<T>(0);
    axis_.for_units(tile, [&](const MiddleAxis::Unit& unit) {
      function_(x + unit.element, dy + unit.element, y + unit.element, axis_.n, axis_.inner,
                unit.columns, run.scratch<T>());
    });
  }
  std::string description() const override { return cat("fused ", function_.name); }

 private:
  const SoftmaxFunction& function_;
  MiddleAxis axis_;
};

// What the two functions and their gradients have in common: shapes and the kernel.
class SoftmaxOp : public Op {
 public:
  SoftmaxOp(const SoftmaxFunction& function, int axis) : function_(function), axis_(axis) {}

  std::string_view name() const override { return function_.name; }
  std::optional<std::string> attributes() const override { return cat("axis=", axis_); }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_floating(inputs[0]);
    normalize_axis(axis_, inputs[0].shape);
    check(inputs.size() == 1 || inputs[0] == inputs[1], "result ", inputs[0], " and its gradient ",
          inputs.back(), " differ");
    return {inputs[0]};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Type& type = context.outputs[0];
    const int axis = normalize_axis(axis_, type.shape);
    return visit_floating(type.dtype, [&](auto element) -> std::unique_ptr<Kernel> {
      return std::make_unique<SoftmaxKernel<decltype(element)>>(function_, type.shape, axis);
    });
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    constexpr double kForwardFlops = 25;
    Cost cost = Op::cost(inputs, outputs);
    cost.flops *= kForwardFlops;
    return cost;
  }

  bool in_place(int, int, std::span<const Type>) const override { return true; }

 protected:
  int axis() const { return axis_; }

 private:
  const SoftmaxFunction& function_;
  int axis_;
};

// dx = y (dy - sum y dy). With u upstream of dx: it is linear in dy with a symmetric matrix, and
// du/dy = u (dy - sum y dy) - dy sum u y.
class SoftmaxBackward final : public SoftmaxOp {
 public:
  explicit SoftmaxBackward(int axis) : SoftmaxOp(kSoftmaxBackward, axis) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value u = context.upstream[0];
    const Value y = context.inputs[0];
    const Value dy = context.inputs[1];
    std::vector<Value> result(2);
    if (context.needed[0]) {
      result[0] = u * (dy - sum(y * dy, {axis()}, true)) - dy * sum(u * y, {axis()}, true);
    }
    if (context.needed[1]) {
      result[1] = add_op(std::make_shared<const SoftmaxBackward>(axis()), {y, u}, {});
    }
    return result;
  }
};

class Softmax final : public SoftmaxOp {
 public:
  explicit Softmax(int axis) : SoftmaxOp(kSoftmax, axis) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const SoftmaxBackward>(axis()),
                   {context.outputs[0], context.upstream[0]}, {})};
  }
};

// dx = dy - exp(y) sum dy.
class LogSoftmaxBackward final : public SoftmaxOp {
 public:
  explicit LogSoftmaxBackward(int axis) : SoftmaxOp(kLogSoftmaxBackward, axis) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value u = context.upstream[0];
    const Value weighted = u * exp(context.inputs[0]);
    std::vector<Value> result(2);
    if (context.needed[0]) result[0] = neg(weighted * sum(context.inputs[1], {axis()}, true));
    if (context.needed[1]) result[1] = u - sum(weighted, {axis()}, true);
    return result;
  }
};

class LogSoftmax final : public SoftmaxOp {
 public:
  explicit LogSoftmax(int axis) : SoftmaxOp(kLogSoftmax, axis) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const LogSoftmaxBackward>(axis()),
                   {context.outputs[0], context.upstream[0]}, {})};
  }
};

}  // namespace

Value softmax(Value x, int axis, std::string name) {
  return add_op(std::make_shared<const Softmax>(axis), {x}, std::move(name));
}

Value log_softmax(Value x, int axis, std::string name) {
  return add_op(std::make_shared<const LogSoftmax>(axis), {x}, std::move(name));
}

}  // namespace gradmill
