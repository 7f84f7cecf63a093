#include <gradmill/ops/elementwise/broadcast.h>
#include <gradmill/ops/elementwise/elementwise.h>

#include <algorithm>

namespace gradmill {
namespace {

constexpr double kPolynomialFlops = 20;

std::int64_t grain(bool costly) { return costly ? kFlatGrain / 2 : kFlatGrain; }

template <class T>
class UnaryKernel final : public Kernel {
 public:
  UnaryKernel(const UnaryFunction& function, std::int64_t n)
      : function_(function), tiles_{n, grain(function.costly)} {}

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::int64_t begin = tiles_.begin(tile);
    function_(run.input<T>(0) + begin, run.output<T>(0) + begin, tiles_.end(tile) - begin);
  }
  std::string description() const override { return cat("elementwise ", to_string(function_)); }

 private:
  UnaryFunction function_;
  FlatTiles tiles_;
};

template <class T>
class BinaryKernel final : public Kernel {
 public:
  BinaryKernel(const BinaryFunction& function, const Shape& result, std::span<const Type> operands)
      : function_(function),
        tiles_{result.elements(), grain(function.costly)},
        rows_(result, operands) {}

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const T* a = run.input<T>(0);
    const T* b = run.input<T>(1);
    T* y = run.output<T>(0);
    const std::int64_t end = tiles_.end(tile);
    for (std::int64_t i = tiles_.begin(tile); i < end;) {
      const std::int64_t row = i / rows_.length();
      const std::int64_t column = i % rows_.length();
      const std::int64_t n = std::min(rows_.length() - column, end - i);
      function_(a + rows_.start(0, row) + column * rows_.stride(0), rows_.stride(0),
                b + rows_.start(1, row) + column * rows_.stride(1), rows_.stride(1), y + i, n);
      i += n;
    }
  }
  std::string description() const override { return cat("elementwise ", to_string(function_)); }

 private:
  BinaryFunction function_;
  FlatTiles tiles_;
  BroadcastRows rows_;
};

Cost scaled(Cost cost, bool costly) {
  if (costly) cost.flops *= kPolynomialFlops;
  return cost;
}

}  // namespace

void check_floating(const Type& type) {
  check(is_floating(type.dtype), "needs f32 or f64, got ", type);
}

Value add_op(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs, std::string name) {
  return inputs.begin()->graph().add(std::move(op), inputs, std::move(name)).front();
}

std::optional<std::string> UnaryOp::attributes() const { return to_string(function_.parameters); }

std::vector<Type> UnaryOp::infer(std::span<const Type> inputs) const {
  check_floating(inputs[0]);
  return {inputs[0]};
}

std::unique_ptr<Kernel> UnaryOp::prepare(const PrepareContext& context) const {
  const Type& type = context.outputs[0];
  return visit_floating(type.dtype, [&](auto element) -> std::unique_ptr<Kernel> {
    return std::make_unique<UnaryKernel<decltype(element)>>(function_, type.shape.elements());
  });
}

Cost UnaryOp::cost(std::span<const Type> inputs, std::span<const Type> outputs) const {
  return scaled(Op::cost(inputs, outputs), function_.costly);
}

bool UnaryOp::in_place(int input, int output, std::span<const Type>) const {
  return input == 0 && output == 0;
}

std::optional<std::string> BinaryOp::attributes() const { return to_string(function_.parameters); }

std::vector<Type> BinaryOp::infer(std::span<const Type> inputs) const {
  check_floating(inputs[0]);
  check_floating(inputs[1]);
  check(inputs[0].dtype == inputs[1].dtype, "both operands must have one dtype, got ", inputs[0],
        " and ", inputs[1]);
  return {{inputs[0].dtype, broadcast_shapes(inputs[0].shape, inputs[1].shape)}};
}

std::unique_ptr<Kernel> BinaryOp::prepare(const PrepareContext& context) const {
  const Type& type = context.outputs[0];
  return visit_floating(type.dtype, [&](auto element) -> std::unique_ptr<Kernel> {
    return std::make_unique<BinaryKernel<decltype(element)>>(function_, type.shape, context.inputs);
  });
}

Cost BinaryOp::cost(std::span<const Type> inputs, std::span<const Type> outputs) const {
  return scaled(Op::cost(inputs, outputs), function_.costly);
}

bool BinaryOp::in_place(int input, int output, std::span<const Type> inputs) const {
  const Shape result = broadcast_shapes(inputs[0].shape, inputs[1].shape);
  return output == 0 &&
         inputs[static_cast<std::size_t>(input)].shape.elements() == result.elements();
}

}  // namespace gradmill
