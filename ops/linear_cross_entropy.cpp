#include <gradmill/ops/linear_cross_entropy.h>

#include <gradmill/graph/autodiff.h>
#include <gradmill/graph/graph.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/broadcast.h>
#include <gradmill/ops/cross_entropy.h>
#include <gradmill/ops/cross_entropy/linear/kernel.h>
#include <gradmill/ops/linear.h>
#include <gradmill/ops/matmul.h>
#include <gradmill/ops/reduce.h>
#include <gradmill/ops/reshape.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

using Parts = CrossEntropyParts;
using Settings = CrossEntropySettings;

// What the three ops, forward, backward and both in one, have in common. Their first inputs are x,
// weight, targets and, where there is one, the bias.
class LinearCrossEntropyOp : public Op {
 public:
  LinearCrossEntropyOp(Parts parts, const Settings& settings, bool bias,
                       const LinearGradients& wanted = {})
      : parts_(parts), settings_(settings), bias_(bias), wanted_(wanted) {}

  bool fallible() const override { return true; }  // labels may be out of range

  std::optional<std::string> attributes() const override {
    std::string text = to_string(settings_);
    if (bias_) text += " bias";
    if (wanted_.x) text += " dx";
    if (wanted_.weight) text += " dweight";
    if (wanted_.bias) text += " dbias";
    return text;
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    const auto x = static_cast<double>(inputs[0].shape.elements());
    const auto logits = static_cast<double>(inputs[2].shape.elements() * inputs[1].shape[0]);
    const auto classes = static_cast<double>(inputs[1].shape[0]);
    const double products = 1 + (wanted_.x ? 1 : 0) + (wanted_.weight ? 1 : 0);
    cost.flops = products * 2 * x * classes + 20 * logits;  // the second: mostly exp
    return cost;
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make_linear_cross_entropy({.parts = parts_,
                                      .settings = settings_,
                                      .gradients = wanted_,
                                      .bias = bias_,
                                      .x = context.inputs[0],
                                      .targets = context.inputs[2].shape,
                                      .classes = context.inputs[1].shape[0]},
                                     context.tuning);
  }

 protected:
  const Settings& settings() const { return settings_; }
  bool bias() const { return bias_; }
  const LinearGradients& wanted() const { return wanted_; }
  int first_further() const { return bias_ ? 4 : 3; }

  void check_inputs(std::span<const Type> inputs) const {
    const Type& x = inputs[0];
    const Type& weight = inputs[1];
    check(is_floating(x.dtype) && x.shape.rank() >= 2,
          "x must be f32 or f64 of shape [N, D] or [..., D], got ", x);
    const std::int64_t features = x.shape[x.shape.rank() - 1];
    check(weight.dtype == x.dtype && weight.shape.rank() == 2 && weight.shape[1] == features,
          "a weight for x ", x, " must be [C, ", features, "] of its dtype, got ", weight);
    std::vector<std::int64_t> rows = x.shape.sizes();
    rows.pop_back();
    const Type labels{DType::i64, Shape(rows)};
    check(inputs[2] == labels, "targets for x ", x, " must be labels, ", labels, ", got ",
          inputs[2]);
    if (bias_) {
      const Type fitting{x.dtype, Shape({weight.shape[0]})};
      check(inputs[3] == fitting, "a bias for weight ", weight, " must be ", fitting, ", got ",
            inputs[3]);
    }
    check(settings_.label_smoothing >= 0 && settings_.label_smoothing <= 1,
          "label_smoothing must be in [0, 1], got ", settings_.label_smoothing);
  }

  Type loss_type(std::span<const Type> inputs) const {
    return {inputs[0].dtype, is_reduced(settings_.reduction) ? Shape() : inputs[2].shape};
  }

  void add_gradients(std::span<const Type> inputs, std::vector<Type>& types) const {
    if (wanted_.x) types.push_back(inputs[0]);
    if (wanted_.weight) types.push_back(inputs[1]);
    if (wanted_.bias) types.push_back(inputs[3]);
  }

 private:
  Parts parts_;
  Settings settings_;
  bool bias_;
  LinearGradients wanted_;
};

// Further input: upstream. Outputs: loss, gradients.
class LinearCrossEntropyTrain final : public LinearCrossEntropyOp {
 public:
  LinearCrossEntropyTrain(const Settings& settings, bool bias, const LinearGradients& wanted)
      : LinearCrossEntropyOp(Parts::loss_and_gradient, settings, bias, wanted) {}
  std::string_view name() const override { return "linear_cross_entropy"; }
  bool differentiable(int) const override { return false; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_inputs(inputs);
    std::vector<Type> types = {loss_type(inputs)};
    add_gradients(inputs, types);
    return types;
  }
};

// Further inputs: other_terms, upstream. Outputs: gradients.
class LinearCrossEntropyBackward final : public LinearCrossEntropyOp {
 public:
  LinearCrossEntropyBackward(const Settings& settings, bool bias, const LinearGradients& wanted)
      : LinearCrossEntropyOp(Parts::gradient, settings, bias, wanted) {}
  std::string_view name() const override { return "linear_cross_entropy_backward"; }
  bool differentiable(int input) const override { return input != 2 && input != first_further(); }
  const LinearGradients& gradients_made() const { return wanted(); }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_inputs(inputs);
    std::vector<Type> types;
    add_gradients(inputs, types);
    return types;
  }

  // With U, V, u upstream of dX = G W, dW = G^T X, db, what flows back into G(Z, g) is
  //   E = U W^T + X V^T + u,
  // from which cross_entropy makes dZ and dg; then to X: dZ W + G V, to W: dZ^T X + G^T U, and to
  // b: the sum of dZ's rows.
  std::vector<Value> gradient(const GradientContext& context) const override {
    const std::size_t last = context.inputs.size() - 1;
    const Shape& shape = context.inputs[0].shape();
    const std::int64_t rows = context.inputs[2].shape().elements();
    const Value x = reshape(context.inputs[0], {rows, shape[shape.rank() - 1]});
    const Value weight = context.inputs[1];
    const Value bias_value = bias() ? context.inputs[3] : Value();
    Value g = context.inputs[last];
    if (g.shape().rank() > 0) g = reshape(g, {rows});

    std::size_t next = 0;
    const auto upstream = [&](bool made) { return made ? context.upstream[next++] : Value(); };
    Value of_x = upstream(wanted().x);
    const Value of_weight = upstream(wanted().weight);
    const Value of_bias = upstream(wanted().bias);
    if (of_x) of_x = reshape(of_x, x.shape().sizes());

    const Value z = linear(x, weight, bias_value);
    const Value loss = cross_entropy(z, reshape(context.inputs[2], {rows}),
                                     {.ignore_index = settings().ignore_index,
                                      .reduction = settings().reduction,
                                      .label_smoothing = settings().label_smoothing});
    const Value of_z = gradients({loss}, {z}, {g})[0];
    Value into = {};
    const auto flow = [&](Value more) { into = into ? into + more : more; };
    if (of_x) flow(matmul(of_x, weight, {.transpose_b = true}));
    if (of_weight) flow(matmul(x, of_weight, {.transpose_b = true}));
    if (of_bias) flow(broadcast_to(of_bias, z.shape()));
    const std::vector<Value> second = gradients({of_z}, {z, g}, {into});

    std::vector<Value> result(context.inputs.size());
    if (context.needed[0]) {
      Value value = matmul(second[0], weight);
      if (of_weight) value = value + matmul(of_z, of_weight);
      result[0] = reshape(value, shape.sizes());
    }
    if (context.needed[1]) {
      result[1] = matmul(second[0], x, {.transpose_a = true});
      if (of_x) result[1] = result[1] + matmul(of_z, of_x, {.transpose_a = true});
    }
    if (bias() && context.needed[3]) result[3] = sum(second[0], {0});
    if (context.needed[last]) {
      const Shape& own = context.inputs[last].shape();
      result[last] = own.rank() > 0 ? reshape(second[1], own.sizes()) : second[1];
    }
    return result;
  }
};

// Outputs: loss, other_terms.
class LinearCrossEntropy final : public LinearCrossEntropyOp {
 public:
  LinearCrossEntropy(const Settings& settings, bool bias)
      : LinearCrossEntropyOp(Parts::loss, settings, bias) {}
  std::string_view name() const override { return "linear_cross_entropy"; }
  bool differentiable(int input) const override { return input != 2; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_inputs(inputs);
    return {loss_type(inputs), {inputs[0].dtype, inputs[2].shape}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const LinearGradients wanted{context.needed[0], context.needed[1], bias() && context.needed[3]};
    std::vector<Value> result(context.inputs.size());
    if (wanted.count() == 0) return result;
    std::vector<Value> inputs(context.inputs.begin(), context.inputs.end());
    inputs.insert(inputs.end(), {context.outputs[1], context.upstream[0]});
    const std::vector<Value> made = inputs[0].graph().add(
        std::make_shared<LinearCrossEntropyBackward>(settings(), bias(), wanted), inputs);
    std::size_t next = 0;
    if (wanted.x) result[0] = made[next++];
    if (wanted.weight) result[1] = made[next++];
    if (wanted.bias) result[3] = made[next++];
    return result;
  }

  // Both passes over the logits become one. The backward node was made from this one's inputs.
  std::optional<Absorbed> absorb(const Absorption& offer) const override {
    const auto* backward = dynamic_cast<const LinearCrossEntropyBackward*>(&offer.consumer);
    if (backward == nullptr) return std::nullopt;
    const int upstream = first_further() + 1;
    const auto from = [&](int input) {
      return offer.from_producer[static_cast<std::size_t>(input)];
    };
    if (from(upstream - 1) != 1 || from(upstream) >= 0) return std::nullopt;
    const LinearGradients& wanted = backward->gradients_made();
    std::vector<int> outputs = {0};
    for (int k = 0; k < wanted.count(); ++k) outputs.push_back(-1 - k);
    return Absorbed{std::make_shared<LinearCrossEntropyTrain>(settings(), bias(), wanted),
                    {upstream},
                    std::move(outputs)};
  }
};

}  // namespace

Value linear_cross_entropy(Value x, Value weight, Value targets,
                           const LinearCrossEntropyOptions& options, std::string name) {
  const Settings settings{.reduction = options.reduction,
                          .ignore_index = options.ignore_index,
                          .label_smoothing = options.label_smoothing};
  std::vector<Value> inputs = {x, weight, targets};
  const bool bias = static_cast<bool>(options.bias);
  if (bias) inputs.push_back(options.bias);
  return x.graph().add(std::make_shared<LinearCrossEntropy>(settings, bias), inputs,
                       std::move(name))[0];
}

}  // namespace gradmill
