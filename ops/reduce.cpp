#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/reduce.h>
#include <gradmill/ops/reduce/loops.h>
#include <gradmill/ops/reduce/reduce_op.h>
#include <gradmill/ops/reduce/sum_and_broadcast.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/reduce.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/elementwise/rows-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

BinaryRows equal_rows() {
  return binary_rows([](auto d, auto a, auto b)
                         HWY_ATTR { return hn::IfThenElseZero(hn::Eq(a, b), hn::Set(d, 1)); });
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

constexpr ReduceFunction kMean = {
    .name = "mean", .f32 = {sum_row, sum_columns}, .f64 = {sum_row, sum_columns}, .divides = true};
constexpr ReduceFunction kMax = {
    .name = "max", .f32 = {max_row, max_columns}, .f64 = {max_row, max_columns}};

class Mean final : public ReduceOp {
 public:
  Mean(std::vector<int> axes, bool keepdim) : ReduceOp(kMean, std::move(axes), keepdim) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Shape& shape = context.inputs[0].shape();
    const Value dy = kept(context.upstream[0], shape);
    const double count =
        static_cast<double>(shape.elements()) / static_cast<double>(dy.shape().elements());
    return {add_broadcast(dy / count, shape, {})};
  }
};

GRADMILL_BINARY(kEqual, equal);

// a == b ? 1 : 0.
class Equal final : public BinaryOp {
 public:
  Equal() : BinaryOp(kEqual) {}
  bool differentiable(int) const override { return false; }
};

class Max final : public ReduceOp {
 public:
  Max(std::vector<int> axes, bool keepdim) : ReduceOp(kMax, std::move(axes), keepdim) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value x = context.inputs[0];
    const Value dy = kept(context.upstream[0], x.shape());
    const Value largest = kept(context.outputs[0], x.shape());
    const Value ties = add_op(std::make_shared<const Equal>(), {x, largest}, {});
    return {ties * (dy / add_sum(ties, axes(), true, {}))};
  }
};

}  // namespace

Value sum(Value x, std::vector<int> axes, bool keepdim, std::string name) {
  return add_sum(x, std::move(axes), keepdim, std::move(name));
}

Value mean(Value x, std::vector<int> axes, bool keepdim, std::string name) {
  return add_op(std::make_shared<const Mean>(std::move(axes), keepdim), {x}, std::move(name));
}

Value max(Value x, std::vector<int> axes, bool keepdim, std::string name) {
  return add_op(std::make_shared<const Max>(std::move(axes), keepdim), {x}, std::move(name));
}

}  // namespace gradmill
#endif
