#include <gradmill/ops/elementwise/broadcast.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/reduce/reduce_op.h>
#include <gradmill/ops/reduce/sum_and_broadcast.h>
#include <gradmill/ops/reshape.h>

#include <algorithm>

namespace gradmill {
namespace {

class Sum final : public ReduceOp {
 public:
  Sum(std::vector<int> axes, bool keepdim) : ReduceOp(kSum, std::move(axes), keepdim) {}
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Shape& shape = context.inputs[0].shape();
    return {add_broadcast(kept(context.upstream[0], shape), shape, {})};
  }
};

// Bits is an unsigned integer of the elements' size: the bytes are moved, not understood.
template <class Bits>
class BroadcastKernel final : public Kernel {
 public:
  BroadcastKernel(const Shape& result, std::span<const Type> operands)
      : tiles_{result.elements(), kFlatGrain}, rows_(result, operands) {}

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const Bits* x = run.input<Bits>(0);
    Bits* y = run.output<Bits>(0);
    const std::int64_t end = tiles_.end(tile);
    for (std::int64_t i = tiles_.begin(tile); i < end;) {
      const std::int64_t row = i / rows_.length();
      const std::int64_t column = i % rows_.length();
      const std::int64_t n = std::min(rows_.length() - column, end - i);
      const Bits* from = x + rows_.start(0, row) + column * rows_.stride(0);
      if (rows_.stride(0) == 0) {
        std::fill_n(y + i, n, *from);
      } else {
        std::copy_n(from, n, y + i);
      }
      i += n;
    }
  }
  std::string description() const override { return "broadcast"; }

 private:
  FlatTiles tiles_;
  BroadcastRows rows_;
};

class BroadcastTo final : public Op {
 public:
  explicit BroadcastTo(Shape shape) : shape_(std::move(shape)) {}

  std::string_view name() const override { return "broadcast_to"; }
  std::optional<std::string> attributes() const override { return cat("shape=", shape_); }
  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Shape& from = inputs[0].shape;
    bool fits = from.rank() <= shape_.rank();
    for (int k = 1; fits && k <= from.rank(); ++k) {
      const std::int64_t size = from[from.rank() - k];
      fits = size == 1 || size == shape_[shape_.rank() - k];
    }
    check(fits, "shape ", from, " does not broadcast to ", shape_,
          ": aligned at the last axis, each size must be 1 or the target's");
    return {{inputs[0].dtype, shape_}};
  }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {unbroadcast(context.upstream[0], context.inputs[0].shape())};
  }
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return visit_bits(context.outputs[0].dtype, [&](auto bits) -> std::unique_ptr<Kernel> {
      return std::make_unique<BroadcastKernel<decltype(bits)>>(shape_, context.inputs);
    });
  }

 private:
  Shape shape_;
};

}  // namespace

Value add_sum(Value x, std::vector<int> axes, bool keepdim, std::string name) {
  return add_op(std::make_shared<const Sum>(std::move(axes), keepdim), {x}, std::move(name));
}

Value add_broadcast(Value x, Shape shape, std::string name) {
  return add_op(std::make_shared<const BroadcastTo>(std::move(shape)), {x}, std::move(name));
}

Value unbroadcast(Value grad, const Shape& shape) {
  const Shape& from = grad.shape();
  if (from == shape) return grad;
  const int added = from.rank() - shape.rank();
  std::vector<int> axes;
  for (int k = 0; k < from.rank(); ++k) {
    if (from[k] > 1 && (k < added || shape[k - added] == 1)) axes.push_back(k);
  }
  if (!axes.empty()) grad = add_sum(grad, std::move(axes), false, {});
  return grad.shape() == shape ? grad : reshape(grad, shape.sizes());
}

}  // namespace gradmill
