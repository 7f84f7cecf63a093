#include <gradmill/ops/broadcast.h>
#include <gradmill/ops/elementwise/elementwise.h>

#include <string_view>

namespace gradmill {

std::string_view to_string(Unary kind) {
  switch (kind) {
    case Unary::neg: return "neg";
    case Unary::exp: return "exp";
    case Unary::log: return "log";
    case Unary::sqrt: return "sqrt";
    case Unary::tanh: return "tanh";
    case Unary::sigmoid: return "sigmoid";
    case Unary::relu: return "relu";
    case Unary::gelu: return "gelu";
    case Unary::gelu_tanh: return "gelu_tanh";
    case Unary::silu: return "silu";
  }
  return "?";
}

std::string_view to_string(Binary kind) {
  switch (kind) {
    case Binary::add: return "add";
    case Binary::sub: return "sub";
    case Binary::mul: return "mul";
    case Binary::div: return "div";
    case Binary::relu_backward: return "relu_backward";
    case Binary::tanh_backward: return "tanh_backward";
    case Binary::sigmoid_backward: return "sigmoid_backward";
    case Binary::gelu_backward: return "gelu_backward";
    case Binary::gelu_tanh_backward: return "gelu_tanh_backward";
    case Binary::silu_backward: return "silu_backward";
    case Binary::equal: return "equal";
  }
  return "?";
}

namespace {

// Whether a function's value takes a polynomial rather than an instruction.
bool is_costly(Unary kind) {
  return kind == Unary::exp || kind == Unary::log || kind == Unary::tanh ||
         kind == Unary::sigmoid || kind == Unary::gelu || kind == Unary::gelu_tanh ||
         kind == Unary::silu;
}
bool is_costly(Binary kind) {
  return kind == Binary::gelu_backward || kind == Binary::gelu_tanh_backward ||
         kind == Binary::silu_backward;
}

constexpr double kPolynomialFlops = 20;

template <class T>
class UnaryKernel final : public Kernel {
 public:
  UnaryKernel(Unary kind, std::int64_t n)
      : kind_(kind), tiles_{n, is_costly(kind) ? kFlatGrain / 2 : kFlatGrain} {}

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::int64_t begin = tiles_.begin(tile);
    apply_unary(kind_, run.input<T>(0) + begin, run.output<T>(0) + begin, tiles_.end(tile) - begin);
  }
  std::string description() const override { return cat("elementwise ", to_string(kind_)); }

 private:
  Unary kind_;
  FlatTiles tiles_;
};

template <class T>
class BinaryKernel final : public Kernel {
 public:
  BinaryKernel(Binary kind, const Shape& result, std::span<const Type> operands)
      : kind_(kind),
        tiles_{result.elements(), is_costly(kind) ? kFlatGrain / 2 : kFlatGrain},
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
      apply_binary(kind_, a + rows_.start(0, row) + column * rows_.stride(0), rows_.stride(0),
                   b + rows_.start(1, row) + column * rows_.stride(1), rows_.stride(1), y + i, n);
      i += n;
    }
  }
  std::string description() const override { return cat("elementwise ", to_string(kind_)); }

 private:
  Binary kind_;
  FlatTiles tiles_;
  BroadcastRows rows_;
};

}  // namespace

void check_floating(const Type& type) {
  check(is_floating(type.dtype), "needs f32 or f64, got ", type);
}

Value add_op(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs, std::string name) {
  return inputs.begin()->graph().add(std::move(op), inputs, std::move(name)).front();
}

std::vector<Type> UnaryOp::infer(std::span<const Type> inputs) const {
  check_floating(inputs[0]);
  return {inputs[0]};
}

std::unique_ptr<Kernel> UnaryOp::prepare(const PrepareContext& context) const {
  const Type& type = context.outputs[0];
  const std::int64_t n = type.shape.elements();
  if (type.dtype == DType::f32) return std::make_unique<UnaryKernel<float>>(kind_, n);
  return std::make_unique<UnaryKernel<double>>(kind_, n);
}

Cost UnaryOp::cost(std::span<const Type> inputs, std::span<const Type> outputs) const {
  Cost cost = Op::cost(inputs, outputs);
  if (is_costly(kind_)) cost.flops *= kPolynomialFlops;
  return cost;
}

bool UnaryOp::in_place(int input, int output, std::span<const Type>) const {
  return input == 0 && output == 0;
}

std::vector<Type> BinaryOp::infer(std::span<const Type> inputs) const {
  check_floating(inputs[0]);
  check_floating(inputs[1]);
  check(inputs[0].dtype == inputs[1].dtype, "both operands must have one dtype, got ", inputs[0],
        " and ", inputs[1]);
  return {{inputs[0].dtype, broadcast_shapes(inputs[0].shape, inputs[1].shape)}};
}

std::unique_ptr<Kernel> BinaryOp::prepare(const PrepareContext& context) const {
  const Type& type = context.outputs[0];
  if (type.dtype == DType::f32) {
    return std::make_unique<BinaryKernel<float>>(kind_, type.shape, context.inputs);
  }
  return std::make_unique<BinaryKernel<double>>(kind_, type.shape, context.inputs);
}

Cost BinaryOp::cost(std::span<const Type> inputs, std::span<const Type> outputs) const {
  Cost cost = Op::cost(inputs, outputs);
  if (is_costly(kind_)) cost.flops *= kPolynomialFlops;
  return cost;
}

bool BinaryOp::in_place(int input, int output, std::span<const Type> inputs) const {
  const Shape result = broadcast_shapes(inputs[0].shape, inputs[1].shape);
  return output == 0 &&
         inputs[static_cast<std::size_t>(input)].shape.elements() == result.elements();
}

BroadcastRows::BroadcastRows(const Shape& result, std::span<const Type> operands) {
  std::array<std::int64_t, 2> natural{1, 1};
  std::vector<Axis> inner_first;
  for (int from_end = 1; from_end <= result.rank(); ++from_end) {
    Axis axis{result[result.rank() - from_end], {0, 0}};
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const Shape& shape = operands[k].shape;
      const std::int64_t size = from_end <= shape.rank() ? shape[shape.rank() - from_end] : 1;
      if (size > 1) axis.strides[k] = natural[k];
      natural[k] *= size;
    }
    if (axis.size == 1) continue;
    if (!inner_first.empty()) {
      Axis& inner = inner_first.back();
      if (axis.strides[0] == inner.strides[0] * inner.size &&
          axis.strides[1] == inner.strides[1] * inner.size) {
        inner.size *= axis.size;
        continue;
      }
    }
    inner_first.push_back(axis);
  }
  if (inner_first.empty()) inner_first.push_back({1, {1, 1}});
  axes_.assign(inner_first.rbegin(), inner_first.rend());
}

std::int64_t BroadcastRows::start(int operand, std::int64_t row) const {
  std::int64_t offset = 0;
  for (std::size_t k = axes_.size() - 1; k-- > 0;) {
    offset += row % axes_[k].size * axes_[k].strides[static_cast<std::size_t>(operand)];
    row /= axes_[k].size;
  }
  return offset;
}

}  // namespace gradmill
