#include <gradmill/ops/layer_norm.h>

#include <algorithm>
#include <limits>

#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/broadcast.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/normalization/kernel.h>
#include <gradmill/ops/reduce.h>
#include <gradmill/ops/reduce/sum_and_broadcast.h>

namespace gradmill {
namespace {

struct Settings {
  bool centered;  // layer_norm, or rms_norm
  std::vector<std::int64_t> sizes;
  double eps;
  bool weighted;
  bool biased;
};

// What forward and backward have in common.
class NormOp : public Op {
 public:
  explicit NormOp(Settings settings) : settings_(std::move(settings)) {}

  std::optional<std::string> attributes() const override {
    std::string text = "normalized_shape=";
    for (const std::int64_t size : settings_.sizes) text += cat(size, ',');
    return text + cat(" eps=", settings_.eps, settings_.weighted ? " weight" : "",
                      settings_.biased ? " bias" : "");
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    constexpr double kFlops = 10;
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = kFlops * static_cast<double>(inputs[0].shape.elements());
    return cost;
  }

 protected:
  const Settings& settings() const { return settings_; }

  Shape normalized() const { return Shape(settings_.sizes); }

  NormProblem problem(const Type& x) const {
    const std::int64_t n = normalized().elements();
    return {.dtype = x.dtype,
            .rows = x.shape.elements() / n,
            .n = n,
            .centered = settings_.centered,
            .weighted = settings_.weighted,
            .biased = settings_.biased,
            .eps = settings_.eps};
  }

  // One number per row, so that it broadcasts over the rows.
  Type per_row(const Type& x) const {
    std::vector<std::int64_t> sizes = x.shape.sizes();
    std::fill_n(sizes.rbegin(), settings_.sizes.size(), 1);
    return {x.dtype, Shape(sizes)};
  }

  std::vector<int> row_axes() const {
    std::vector<int> axes;
    for (int k = static_cast<int>(settings_.sizes.size()); k > 0; --k) axes.push_back(-k);
    return axes;
  }

 private:
  Settings settings_;
};

Value plus(Value a, Value b) { return a ? a + b : b; }

// Inputs: dy, x, rstd, mean where there is one, weight where there is one. Outputs: those wanted of
// dx, dweight, dbias. rstd and mean are functions of x, and part of its gradient.
class NormBackward final : public NormOp {
 public:
  NormBackward(const Settings& settings, NormGradients wanted)
      : NormOp(settings), wanted_(wanted) {}

  std::string_view name() const override {
    return settings().centered ? "layer_norm_backward" : "rms_norm_backward";
  }
  std::optional<std::string> attributes() const override {
    return cat(*NormOp::attributes(), wanted_.x ? " dx" : "", wanted_.weight ? " dweight" : "",
               wanted_.bias ? " dbias" : "");
  }
  bool differentiable(int input) const override { return input < 2 || input == weight_input(); }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check(inputs[0] == inputs[1], "the gradient ", inputs[0], " must be like the input, ",
          inputs[1]);
    std::vector<Type> outputs;
    if (wanted_.x) outputs.push_back(inputs[1]);
    if (wanted_.weight) outputs.push_back({inputs[1].dtype, normalized()});
    if (wanted_.bias) outputs.push_back({inputs[1].dtype, normalized()});
    return outputs;
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make_norm_backward(problem(context.inputs[1]), wanted_);
  }

  bool in_place(int input, int output, std::span<const Type>) const override {
    return wanted_.x && output == 0 && input < 2;
  }

  // Let J v = r (v - mean v - h mean(v h)), the derivative of h for x, which is symmetric. With
  // dx = J g and g = dy w, upstream u of dx, v of dw and t of db,
  //   for dy:  w J u + v h + t,
  //   for w:   sum over rows dy J u,
  //   for x:   -r (h mean(u J g) + mean(g h) J u + mean(u h) J g) + J (v dy),
  // since dr / dx = -r^2 h / n. All of it holds without the means, too.
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value dy = context.inputs[0];
    const Value x = context.inputs[1];
    const Value r = context.inputs[2];
    const Value weight = settings().weighted ? context.inputs.back() : Value();
    const Value h = (settings().centered ? x - context.inputs[3] : x) * r;
    const auto upstream_of = [&](bool wanted, int output) {
      return wanted ? context.upstream[static_cast<std::size_t>(output)] : Value();
    };
    const Value u = upstream_of(wanted_.x, 0);
    const Value v = upstream_of(wanted_.weight, wanted_.x ? 1 : 0);
    const Value t = upstream_of(wanted_.bias, (wanted_.x ? 1 : 0) + (wanted_.weight ? 1 : 0));
    const auto row_mean = [&](Value value) { return mean(value, row_axes(), true); };
    const Value ju = u ? jacobian(context, u) : Value();

    std::vector<Value> result(context.inputs.size());
    if (context.needed[0]) {
      if (u) result[0] = weight ? weight * ju : ju;
      if (v) result[0] = plus(result[0], v * h);
      if (t) result[0] = plus(result[0], broadcast_to(t, x.shape()));
    }
    if (context.needed[1]) {
      if (u) {
        const Value g = weight ? dy * weight : dy;
        const Value jg = jacobian(context, g);
        result[1] = neg(r * (h * row_mean(u * jg) + row_mean(g * h) * ju + row_mean(u * h) * jg));
      }
      if (v) result[1] = plus(result[1], jacobian(context, dy * v));
    }
    if (weight && context.needed[context.inputs.size() - 1] && u) {
      result.back() = unbroadcast(dy * ju, weight.shape());
    }
    return result;
  }

 private:
  int weight_input() const { return settings().weighted ? (settings().centered ? 4 : 3) : -1; }

  Value jacobian(const GradientContext& context, Value v) const {
    Settings plain = settings();
    plain.weighted = false;
    std::vector<Value> inputs = {v, context.inputs[1], context.inputs[2]};
    if (plain.centered) inputs.push_back(context.inputs[3]);
    return v.graph().add(std::make_shared<const NormBackward>(plain, NormGradients{.x = true}),
                         inputs)[0];
  }

  NormGradients wanted_;
};

// Inputs: x, weight and bias where there are any. Outputs: y, rstd, and mean where there is one.
class Norm final : public NormOp {
 public:
  using NormOp::NormOp;

  std::string_view name() const override { return settings().centered ? "layer_norm" : "rms_norm"; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Type& x = inputs[0];
    check_floating(x);
    const std::vector<std::int64_t>& sizes = settings().sizes;
    check(!sizes.empty(), "normalized_shape needs at least one size");
    const Shape shape = normalized();
    check(x.shape.rank() >= shape.rank() &&
              std::equal(shape.begin(), shape.end(), x.shape.end() - shape.rank()),
          "normalized_shape ", shape, " must be the last sizes of the input, ", x.shape);
    const Type parameter{x.dtype, shape};
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      check(inputs[i] == parameter, "the ", settings().weighted && i == 1 ? "weight" : "bias",
            " for input ", x, " must be ", parameter, ", got ", inputs[i]);
    }
    check(settings().eps >= 0, "eps must be at least 0, got ", settings().eps);
    std::vector<Type> outputs = {x, per_row(x)};
    if (settings().centered) outputs.push_back(per_row(x));
    return outputs;
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value x = context.inputs[0];
    const int bias = settings().weighted ? 2 : 1;
    std::vector<Value> result(context.inputs.size());
    const NormGradients wanted{
        .x = context.needed[0],
        .weight = settings().weighted && context.needed[1],
        .bias = settings().biased && context.needed[static_cast<std::size_t>(bias)]};
    if (const Value dy = context.upstream[0]) {
      std::vector<Value> inputs = {dy, x};
      inputs.insert(inputs.end(), context.outputs.begin() + 1, context.outputs.end());
      if (settings().weighted) inputs.push_back(context.inputs[1]);
      const std::vector<Value> gradients =
          x.graph().add(std::make_shared<const NormBackward>(settings(), wanted), inputs);
      auto next = gradients.begin();
      if (wanted.x) result[0] = *next++;
      if (wanted.weight) result[1] = *next++;
      if (wanted.bias) result.back() = *next++;
    }
    if (wanted.x) add_gradient_of_statistics(context, result[0]);
    return result;
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make_norm(problem(context.inputs[0]));
  }

  bool in_place(int input, int output, std::span<const Type>) const override {
    return input == 0 && output == 0;
  }

 private:
  // Gradients of gradients read r and the mean: dr / dx = -r^2 h / n.
  void add_gradient_of_statistics(const GradientContext& context, Value& dx) const {
    const Value x = context.inputs[0];
    const Value r = context.outputs[1];
    const double n = static_cast<double>(normalized().elements());
    if (const Value u = context.upstream[1]) {
      const Value difference = settings().centered ? x - context.outputs[2] : x;
      dx = plus(dx, difference * (u * r * r * r / -n));
    }
    if (!settings().centered) return;
    if (const Value u = context.upstream[2]) dx = plus(dx, broadcast_to(u / n, x.shape()));
  }
};

// The distance from 1 to the next number; 0 for a type that the op refuses.
double epsilon_of(DType dtype) {
  if (!is_floating(dtype)) return 0;
  return visit_floating(dtype,
                        []<class T>(T) -> double { return std::numeric_limits<T>::epsilon(); });
}

Value add_norm(const Settings& settings, Value x, Value weight, Value bias, std::string name) {
  std::vector<Value> inputs = {x};
  if (weight) inputs.push_back(weight);
  if (bias) inputs.push_back(bias);
  return x.graph().add(std::make_shared<const Norm>(settings), inputs, std::move(name))[0];
}

}  // namespace

Value layer_norm(Value x, std::vector<std::int64_t> normalized_shape,
                 const LayerNormOptions& options, std::string name) {
  return add_norm({.centered = true,
                   .sizes = std::move(normalized_shape),
                   .eps = options.eps,
                   .weighted = static_cast<bool>(options.weight),
                   .biased = static_cast<bool>(options.bias)},
                  x, options.weight, options.bias, std::move(name));
}

Value rms_norm(Value x, std::vector<std::int64_t> normalized_shape, const RmsNormOptions& options,
               std::string name) {
  return add_norm({.centered = false,
                   .sizes = std::move(normalized_shape),
                   .eps = options.eps.value_or(epsilon_of(x.dtype())),
                   .weighted = static_cast<bool>(options.weight),
                   .biased = false},
                  x, options.weight, {}, std::move(name));
}

}  // namespace gradmill
