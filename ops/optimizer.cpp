#include <gradmill/ops/optimizer.h>

#include <algorithm>
#include <cmath>

#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/optimizer/element_update.h>
#include <gradmill/ops/optimizer/loops.h>
#include <gradmill/ops/optimizer/staged_update.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

void check_at_least_zero(const char* optimizer, const char* what, double value) {
  check(std::isfinite(value) && value >= 0, optimizer, ": ", what,
        " must be finite and at least 0, got ", value);
}

std::vector<std::string> state_of(const SGD& options) {
  if (options.momentum > 0) return {"momentum_buffer"};
  return {};
}
std::vector<std::string> state_of(const AdamW&) { return {"exp_avg", "exp_avg_sq"}; }

bool counts_updates(const SGD&) { return false; }
bool counts_updates(const AdamW&) { return true; }

template <class Options>
UpdateInputs inputs_of(const Options& options, const UpdateForm& form) {
  return {static_cast<int>(state_of(options).size()), counts_updates(options), form};
}

double flops_of(const SGD&) { return 6; }
double flops_of(const AdamW&) { return 16; }

std::string_view name_of(const SGD&) { return "sgd"; }
std::string_view name_of(const AdamW&) { return "adamw"; }

template <class T>
UpdateRows rows_of(const GradientRows<T>& part) {
  return {part.rows, part.columns, part.stride, part.gradient_stride};
}

template <class T>
void update(const SGD& options, const KernelRun& run, const UpdateInputs& inputs,
            const GradientRows<T>& part) {
  const SgdStep step{run.step().learning_rate, options.momentum, options.weight_decay,
                     options.nesterov};
  sgd_update(step, rows_of(part), run.variable<T>(inputs.parameter) + part.first, part.gradient,
             options.momentum > 0 ? run.variable<T>(inputs.state) + part.first : nullptr);
}

template <class T>
void update(const AdamW& options, const KernelRun& run, const UpdateInputs& inputs,
            const GradientRows<T>& part) {
  const double t = static_cast<double>(*run.input<std::int64_t>(inputs.count)) + 1;
  const double rate = run.step().learning_rate;
  const AdamWStep step{1 - rate * options.weight_decay,
                       options.beta1,
                       options.beta2,
                       rate / (1 - std::pow(options.beta1, t)),
                       std::sqrt(1 - std::pow(options.beta2, t)),
                       options.eps};
  adamw_update(step, rows_of(part), run.variable<T>(inputs.parameter) + part.first, part.gradient,
               run.variable<T>(inputs.state) + part.first,
               run.variable<T>(inputs.state + 1) + part.first);
}

template <class Options>
class UpdateOf final : public ElementUpdate {
 public:
  UpdateOf(const Options& options, const UpdateForm& form)
      : options_(options), inputs_(inputs_of(options, form)) {}

  std::string_view name() const override { return name_of(options_); }
  const UpdateInputs& inputs() const override { return inputs_; }
  double flops_per_element() const override { return flops_of(options_); }
  void apply(const KernelRun& run, const UpdateInputs& inputs,
             const GradientRows<float>& rows) const override {
    update(options_, run, inputs, rows);
  }
  void apply(const KernelRun& run, const UpdateInputs& inputs,
             const GradientRows<double>& rows) const override {
    update(options_, run, inputs, rows);
  }

 private:
  Options options_;
  UpdateInputs inputs_;
};

// Divides the elements of a parameter into tiles.
class UpdateKernel final : public Kernel {
 public:
  UpdateKernel(std::shared_ptr<const ElementUpdate> update, const Type& type)
      : update_(std::move(update)), dtype_(type.dtype), tiles_{type.shape.elements(), kFlatGrain} {}

  std::int64_t tiles(int) const override { return tiles_.count(); }

  void run(int, std::int64_t tile, const KernelRun& run) const override {
    visit_floating(dtype_, [&]<class T>(T) { run_as<T>(tile, run); });
  }

  std::string description() const override {
    return cat("one pass over parameter, gradient and state, ", tiles_.count(), " tiles");
  }

 private:
  template <class T>
  void run_as(std::int64_t tile, const KernelRun& run) const {
    const std::int64_t begin = tiles_.begin(tile);
    const UpdateInputs& inputs = update_->inputs();
    update_->apply(run, inputs,
                   GradientRows<T>{.gradient = run.input<T>(inputs.gradient) + begin,
                                   .first = begin,
                                   .columns = tiles_.end(tile) - begin});
  }

  std::shared_ptr<const ElementUpdate> update_;
  DType dtype_;
  FlatTiles tiles_;
};

// No outputs: what it does is done to the parameter, the state and the accumulated gradient.
template <class Options>
class Update final : public UpdateOp {
 public:
  Update(const Options& options, const UpdateForm& form)
      : options_(options),
        update_(staged(std::make_shared<UpdateOf<Options>>(options, form))),
        mutates_(update_->inputs().written()) {}

  std::string_view name() const override { return name_of(options_); }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const UpdateInputs& which = update_->inputs();
    check(std::ssize(inputs) == which.size, "takes ", which.size, " inputs, got ", inputs.size());
    const auto type_of = [&](int i) -> const Type& { return inputs[static_cast<std::size_t>(i)]; };
    const Type& parameter = type_of(which.parameter);
    check_floating(parameter);
    const auto check_same = [&](int i) {
      check(type_of(i) == parameter, "parameter, gradient and state must agree: ", parameter,
            " and ", type_of(i));
    };
    check_same(which.gradient);
    for (const int i : which.written()) check_same(i);
    if (which.scale >= 0) {
      const Type scale{parameter.dtype, {}};
      check(type_of(which.scale) == scale, "the scale must be ", scale, ", got ",
            type_of(which.scale));
    }
    return {};
  }

  std::span<const int> mutates() const override { return mutates_; }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return std::make_unique<UpdateKernel>(update_, context.inputs[0]);
  }

  std::shared_ptr<const ElementUpdate> element_update() const override { return update_; }

  Cost cost(std::span<const Type> inputs, std::span<const Type>) const override {
    const double bytes = static_cast<double>(inputs[0].bytes());
    // Everything but the gradient is written back.
    return {update_->flops_per_element() * static_cast<double>(inputs[0].shape.elements()),
            bytes * (1 + 2 * static_cast<double>(mutates_.size()))};
  }

 private:
  Options options_;
  std::shared_ptr<const ElementUpdate> update_;
  ShortList<int, 4> mutates_;
};

template <class Options>
class OptimizerOf final : public Optimizer {
 public:
  explicit OptimizerOf(const Options& options) : options_(options) {}

  std::string_view name() const override { return name_of(options_); }
  double learning_rate() const override { return options_.lr; }
  std::vector<std::string> state() const override { return state_of(options_); }
  bool counts_updates() const override { return gradmill::counts_updates(options_); }
  std::shared_ptr<const Op> update(const UpdateForm& form) const override {
    return std::make_shared<Update<Options>>(options_, form);
  }

 private:
  Options options_;
};

}  // namespace

SGD::operator std::shared_ptr<const Optimizer>() const {
  check_at_least_zero("SGD", "lr", lr);
  check_at_least_zero("SGD", "momentum", momentum);
  check_at_least_zero("SGD", "weight_decay", weight_decay);
  check(!nesterov || momentum > 0, "SGD: Nesterov needs a momentum above 0");
  return std::make_shared<OptimizerOf<SGD>>(*this);
}

AdamW::operator std::shared_ptr<const Optimizer>() const {
  check_at_least_zero("AdamW", "lr", lr);
  check_at_least_zero("AdamW", "eps", eps);
  check_at_least_zero("AdamW", "weight_decay", weight_decay);
  check(beta1 >= 0 && beta1 < 1, "AdamW: beta1 must be in [0, 1), got ", beta1);
  check(beta2 >= 0 && beta2 < 1, "AdamW: beta2 must be in [0, 1), got ", beta2);
  return std::make_shared<OptimizerOf<AdamW>>(*this);
}

}  // namespace gradmill
