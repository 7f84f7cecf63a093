#include <gradmill/ops/matmul.h>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/elementwise.h>
#include <gradmill/ops/gemm.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

class Matmul : public Op {
 public:
  explicit Matmul(const MatmulOptions& options, const Epilogue& epilogue = {})
      : options_(options), epilogue_(epilogue) {}

  std::string_view name() const override { return "matmul"; }

  std::string attributes() const override {
    return cat("transpose_a=", options_.transpose_a, " transpose_b=", options_.transpose_b,
               epilogue_.empty() ? "" : " epilogue=", to_string(epilogue_));
  }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Type& a = inputs[0];
    const Type& b = inputs[1];
    check(is_floating(a.dtype), "operands must be f32 or f64, got lhs ", a, ", rhs ", b);
    check(a.dtype == b.dtype, "operands differ in dtype: lhs ", a, ", rhs ", b);
    check(a.shape.rank() == 2 && b.shape.rank() == 2, "operands must be rank 2, got lhs ", a.shape,
          ", rhs ", b.shape);
    check(a.shape[options_.transpose_a ? 0 : 1] == b.shape[options_.transpose_b ? 1 : 0],
          "inner dimensions differ: lhs ", a.shape, options_.transpose_a ? " transposed" : "",
          ", rhs ", b.shape, options_.transpose_b ? " transposed" : "");
    return {{a.dtype, Shape({a.shape[options_.transpose_a ? 1 : 0],
                             b.shape[options_.transpose_b ? 0 : 1]})}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value a = context.inputs[0];
    const Value b = context.inputs[1];
    const Value dc = context.upstream[0];
    const bool ta = options_.transpose_a;
    const bool tb = options_.transpose_b;
    std::vector<Value> gradients(2);
    if (context.needed[0]) {
      gradients[0] = ta ? matmul(b, dc, {tb, true}) : matmul(dc, b, {false, !tb});
    }
    if (context.needed[1]) {
      gradients[1] = tb ? matmul(dc, a, {true, ta}) : matmul(a, dc, {!ta, false});
    }
    return gradients;
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Shape& a = context.inputs[0].shape;
    const Shape& c = context.outputs[0].shape;
    return make_gemm({.dtype = context.outputs[0].dtype,
                      .m = c[0],
                      .n = c[1],
                      .k = a[options_.transpose_a ? 0 : 1],
                      .transpose_a = options_.transpose_a,
                      .transpose_b = options_.transpose_b},
                     epilogue_);
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = 2.0 * static_cast<double>(outputs[0].shape.elements()) *
                 static_cast<double>(inputs[0].shape[options_.transpose_a ? 0 : 1]);
    return cost;
  }

  // Bias, then activation, then one more operand: what comes after a product in and behind a layer.
  std::optional<Absorbed> absorb(const Absorption& offer) const override {
    Epilogue epilogue = epilogue_;
    if (epilogue.combine) return std::nullopt;
    if (const auto* unary = dynamic_cast<const UnaryOp*>(&offer.consumer)) {
      if (epilogue.activation) return std::nullopt;
      epilogue.activation = unary->kind();
      return Absorbed{std::make_shared<Matmul>(options_, epilogue), {}, {-1}};
    }
    const auto* binary = dynamic_cast<const BinaryOp*>(&offer.consumer);
    if (binary == nullptr || offer.from_producer[1] == 0) return std::nullopt;
    const Type& result = offer.producer_outputs[0];
    const Type& other = offer.consumer_inputs[1];
    if (binary->kind() == Binary::add && epilogue.empty() &&
        other.shape == Shape({result.shape[1]})) {
      epilogue.bias = true;
    } else if (other.shape == result.shape && is_gradient(binary->kind())) {
      epilogue.combine = binary->kind();
    } else {
      return std::nullopt;
    }
    return Absorbed{std::make_shared<Matmul>(options_, epilogue), {1}, {-1}};
  }

 private:
  static bool is_gradient(Binary kind) {
    return kind == Binary::relu_backward || kind == Binary::tanh_backward ||
           kind == Binary::sigmoid_backward;
  }

  MatmulOptions options_;
  Epilogue epilogue_;
};

}  // namespace

Value matmul(Value a, Value b, const MatmulOptions& options, std::string name) {
  return a.graph().add(std::make_shared<Matmul>(options), {a, b}, std::move(name))[0];
}

}  // namespace gradmill
