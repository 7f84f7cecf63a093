#include <gradmill/ops/cross_entropy.h>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/broadcast.h>
#include <gradmill/ops/cross_entropy/kernel.h>
#include <gradmill/ops/reduce.h>
#include <gradmill/ops/reshape.h>
#include <gradmill/ops/softmax.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

using Parts = CrossEntropyParts;
using Settings = CrossEntropySettings;

// [B, d1, ...] for logits [B, C, d1, ...].
Shape lines_of(const Shape& logits) {
  std::vector<std::int64_t> sizes = logits.sizes();
  sizes.erase(sizes.begin() + 1);
  return Shape(sizes);
}

// `x`, a scalar or one number per line, in a shape that broadcasts over the logits' classes.
Value along_classes(Value x, const Shape& logits) {
  if (x.shape().rank() == 0) return x;
  std::vector<std::int64_t> sizes = logits.sizes();
  sizes[1] = 1;
  return reshape(x, std::move(sizes));
}

// `weight` [C] in a shape that broadcasts over the logits.
Value along_lines(Value weight, const Shape& logits) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(logits.rank() - 1), 1);
  sizes[0] = logits[1];
  return reshape(weight, std::move(sizes));
}

// What the three ops, forward, backward and both in one, have in common. Their first inputs are
// logits, targets and, where there is one, the weight.
class CrossEntropyOp : public Op {
 public:
  CrossEntropyOp(Parts parts, const Settings& settings) : parts_(parts), settings_(settings) {}

  // Labels may be out of range; probabilities are what they are.
  bool fallible() const override { return settings_.labels; }

  std::optional<std::string> attributes() const override {
    return to_string(settings_) + (subtract() ? "" : " p only");
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = 20.0 * static_cast<double>(inputs[0].shape.elements());  // mostly exp
    return cost;
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make_cross_entropy({.parts = parts_,
                               .settings = settings_,
                               .logits = context.inputs[0],
                               .lines = lines_of(context.inputs[0].shape),
                               .subtract = subtract()});
  }

 protected:
  const Settings& settings() const { return settings_; }
  bool weighted() const { return settings_.weighted; }
  virtual bool subtract() const { return true; }

  Type loss_type(const Type& logits) const {
    return {logits.dtype, is_reduced(settings_.reduction) ? Shape() : lines_of(logits.shape)};
  }

  void check_inputs(std::span<const Type> inputs) const {
    const Type& logits = inputs[0];
    const Type& targets = inputs[1];
    check(is_floating(logits.dtype) && logits.shape.rank() >= 2,
          "logits must be f32 or f64 of shape [B, C] or [B, C, d1, ...], got ", logits);
    const Type labels{DType::i64, lines_of(logits.shape)};
    check(targets == labels || targets == logits, "targets for logits ", logits,
          " must be labels, ", labels, ", or probabilities, ", logits, ", got ", targets);
    if (settings_.weighted) {
      const Type weight{logits.dtype, Shape({logits.shape[1]})};
      check(inputs[2] == weight, "the weight of the classes for logits ", logits, " must be ",
            weight, ", got ", inputs[2]);
    }
    check(settings_.label_smoothing >= 0 && settings_.label_smoothing <= 1,
          "label_smoothing must be in [0, 1], got ", settings_.label_smoothing);
    check(targets == labels || settings_.ignore_index < 0,
          "ignore_index is for labels, and targets ", targets, " are probabilities; got ",
          settings_.ignore_index);
  }

  void refuse_gradient_of_weight(const GradientContext& context) const {
    check(!settings_.weighted || !context.needed[2], "the weight of the classes has no gradient");
  }

  // (1 - e) w_k g for each line: how much a unit of probability weighs.
  Value target_weight(std::span<const Value> inputs, Value upstream) const {
    const Shape& logits = inputs[0].shape();
    const double factor =
        (1 - settings_.label_smoothing) / loss_divisor(settings_, lines_of(logits).elements(), {});
    const Value result = along_classes(upstream * factor, logits);
    return settings_.weighted ? result * along_lines(inputs[2], logits) : result;
  }

 private:
  Parts parts_;
  Settings settings_;
};

// Further input: upstream. Outputs: loss, gradient.
class CrossEntropyTrain final : public CrossEntropyOp {
 public:
  explicit CrossEntropyTrain(const Settings& settings)
      : CrossEntropyOp(Parts::loss_and_gradient, settings) {}
  std::string_view name() const override { return "cross_entropy"; }
  bool differentiable(int) const override { return false; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_inputs(inputs);
    return {loss_type(inputs[0]), inputs[0]};
  }

  bool in_place(int input, int output, std::span<const Type>) const override {
    return input == 0 && output == 1;
  }
};

// Further inputs: other_terms, upstream. Output: the gradient, or its first term p Q g alone.
class CrossEntropyBackward final : public CrossEntropyOp {
 public:
  CrossEntropyBackward(const Settings& settings, bool subtract)
      : CrossEntropyOp(Parts::gradient, settings), subtract_(subtract) {}
  std::string_view name() const override { return "cross_entropy_backward"; }
  bool subtract() const override { return subtract_; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_inputs(inputs);
    return {inputs[0]};
  }

  // Of y_j = (p_j Q - q_j) g along an upstream u, with P_j = p_j Q g:
  //   dz_k = P_k (u_k - sum_j p_j u_j),   dg = sum_j u_j y_j / g,
  //   dt_k = (1 - e) w_k g (sum_j p_j u_j - u_k).
  // `other_terms` is a function of the logits, and part of dz.
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value logits = context.inputs[0];
    const Value u = context.upstream[0];
    const std::size_t last = context.inputs.size() - 1;
    std::vector<Value> gradients(context.inputs.size());
    refuse_gradient_of_weight(context);
    const bool probabilities = context.needed[1] && is_floating(context.inputs[1].dtype());
    if (context.needed[0] || probabilities) {
      const Value mean = sum(softmax(logits, 1) * u, {1}, true);
      if (context.needed[0]) gradients[0] = again(context.inputs, false) * (u - mean);
      if (probabilities) {
        const Value weight = target_weight(context.inputs, context.inputs[last]);
        gradients[1] =
            subtract_ ? weight * (mean - u) : broadcast_to(weight * mean, logits.shape());
      }
    }
    if (context.needed[last]) {
      std::vector<Value> inputs(context.inputs.begin(), context.inputs.end());
      const Shape shape = inputs[last].shape();
      inputs[last] = logits.graph().constant(1.0, shape, logits.dtype());
      const Value unit = u * again(inputs, subtract_);
      gradients[last] = shape.rank() == 0 ? sum(unit) : sum(unit, {1});
    }
    return gradients;
  }

  bool differentiable(int input) const override {
    const int other_terms = weighted() ? 3 : 2;
    return input != other_terms;
  }

  bool in_place(int input, int output, std::span<const Type>) const override {
    return input == 0 && output == 0;
  }

 private:
  Value again(std::span<const Value> inputs, bool subtract) const {
    return inputs[0].graph().add(std::make_shared<CrossEntropyBackward>(settings(), subtract),
                                 inputs)[0];
  }

  bool subtract_;
};

// Outputs: loss, other_terms.
class CrossEntropy final : public CrossEntropyOp {
 public:
  explicit CrossEntropy(const Settings& settings) : CrossEntropyOp(Parts::loss, settings) {}
  std::string_view name() const override { return "cross_entropy"; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_inputs(inputs);
    return {loss_type(inputs[0]), {inputs[0].dtype, lines_of(inputs[0].shape)}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    refuse_gradient_of_weight(context);
    const Value logits = context.inputs[0];
    const Value upstream = context.upstream[0];
    std::vector<Value> gradients(context.inputs.size());
    if (context.needed[0]) {
      std::vector<Value> inputs(context.inputs.begin(), context.inputs.end());
      inputs.insert(inputs.end(), {context.outputs[1], upstream});
      gradients[0] =
          logits.graph().add(std::make_shared<CrossEntropyBackward>(settings(), true), inputs)[0];
    }
    if (context.needed[1] && is_floating(context.inputs[1].dtype())) {
      gradients[1] = neg(target_weight(context.inputs, upstream) * log_softmax(logits, 1));
    }
    return gradients;
  }

  // Both passes over the logits become one. The backward node was made from this one's inputs.
  std::optional<Absorbed> absorb(const Absorption& offer) const override {
    const auto* backward = dynamic_cast<const CrossEntropyBackward*>(&offer.consumer);
    if (backward == nullptr || !backward->subtract()) return std::nullopt;
    const int upstream = weighted() ? 4 : 3;
    const auto from = [&](int input) {
      return offer.from_producer[static_cast<std::size_t>(input)];
    };
    if (from(upstream - 1) != 1 || from(upstream) >= 0) return std::nullopt;
    return Absorbed{std::make_shared<CrossEntropyTrain>(settings()), {upstream}, {0, -1}};
  }
};

}  // namespace

Value cross_entropy(Value logits, Value targets, const CrossEntropyOptions& options,
                    std::string name) {
  const Settings settings{.reduction = options.reduction,
                          .ignore_index = options.ignore_index,
                          .label_smoothing = options.label_smoothing,
                          .labels = targets.dtype() == DType::i64,
                          .weighted = static_cast<bool>(options.weight)};
  std::vector<Value> inputs = {logits, targets};
  if (settings.weighted) inputs.push_back(options.weight);
  return logits.graph().add(std::make_shared<CrossEntropy>(settings), inputs, std::move(name))[0];
}

}  // namespace gradmill
