#include <gradmill/ops/clip_grad_norm.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/reduce/squared_sum.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr double kEpsilon = 1e-6;  // PyTorch's

// Phase 0: sums of squares of parts of all gradients. Phase 1: their sum, in order, and what
// follows from it.
template <class T>
class ClipKernel final : public Kernel {
 public:
  ClipKernel(double max_norm, std::vector<std::int64_t> sizes, bool accumulates)
      : max_norm_(max_norm), accumulates_(accumulates), gradients_(static_cast<int>(sizes.size())) {
    for (int i = 0; i < gradients_; ++i) {
      const std::int64_t n = sizes[static_cast<std::size_t>(i)];
      for (std::int64_t begin = 0; begin < n; begin += kFlatGrain) {
        parts_.push_back({i, begin, std::min(kFlatGrain, n - begin)});
      }
    }
  }

  int phases() const override { return 2; }
  std::int64_t tiles(int phase) const override {
    return phase == 0 ? static_cast<std::int64_t>(parts_.size()) : 1;
  }
  std::size_t workspace_bytes() const override { return parts_.size() * sizeof(double); }

  void run(int phase, std::int64_t tile, const KernelRun& run) const override {
    const StepInfo& step = run.step();
    if (step.micro_batch + 1 < step.micro_batches) return;
    auto* sums = run.workspace<double>();
    if (phase == 0) {
      const Part& part = parts_[static_cast<std::size_t>(tile)];
      const T* gradient = run.input<T>(part.gradient) + part.begin;
      const T* before = accumulates_ && step.micro_batch > 0
                            ? run.input<T>(gradients_ + part.gradient) + part.begin
                            : nullptr;
      const T share = accumulates_ ? T(1) / static_cast<T>(step.micro_batches) : T(1);
      sums[tile] = squared_sum(gradient, before, share, part.n);
      return;
    }
    double sum = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) sum += sums[i];
    const double norm = std::sqrt(sum);
    const double factor = max_norm_ / (norm + kEpsilon);
    // Like PyTorch's clamp, this keeps a NaN.
    *run.output<T>(0) = static_cast<T>(factor > 1 ? 1 : factor);
    *run.output<T>(1) = static_cast<T>(norm);
  }

  std::string description() const override {
    return cat("sums of squares of ", gradients_, " gradients");
  }

 private:
  struct Part {
    int gradient;
    std::int64_t begin;
    std::int64_t n;
  };
  double max_norm_;
  bool accumulates_;
  int gradients_;
  std::vector<Part> parts_;
};

// Inputs: gradients, and as many accumulators. Outputs: factor and norm.
class ClipFactor final : public Op {
 public:
  ClipFactor(double max_norm, bool accumulates) : max_norm_(max_norm), accumulates_(accumulates) {}

  std::string_view name() const override { return "clip_grad_norm"; }
  std::optional<std::string> attributes() const override {
    return cat("max_norm=", max_norm_, accumulates_ ? " accumulates" : "");
  }
  bool differentiable(int) const override { return false; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check(!inputs.empty(), "there are no gradients");
    const std::size_t gradients = gradients_of(inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      check_floating(inputs[i]);
      check(inputs[i].dtype == inputs[0].dtype, "gradients must have one dtype, got ", inputs[0],
            " and ", inputs[i]);
      check(i < gradients || inputs[i] == inputs[i - gradients], "gradient ",
            inputs[i < gradients ? i : i - gradients], " and what accumulated of it ", inputs[i],
            " differ");
    }
    const Type scalar{inputs[0].dtype, {}};
    return {scalar, scalar};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    std::vector<std::int64_t> sizes;
    for (const Type& type : context.inputs.first(gradients_of(context.inputs))) {
      sizes.push_back(type.shape.elements());
    }
    if (context.inputs[0].dtype == DType::f32) {
      return std::make_unique<ClipKernel<float>>(max_norm_, std::move(sizes), accumulates_);
    }
    return std::make_unique<ClipKernel<double>>(max_norm_, std::move(sizes), accumulates_);
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    for (const Type& type : inputs) cost.flops += 2.0 * static_cast<double>(type.shape.elements());
    return cost;
  }

 private:
  std::size_t gradients_of(std::span<const Type> inputs) const {
    return accumulates_ ? inputs.size() / 2 : inputs.size();
  }

  double max_norm_;
  bool accumulates_;
};

void check_max_norm(double max_norm) {
  check(std::isfinite(max_norm) && max_norm > 0,
        "clip_grad_norm: max_norm must be finite and above 0, got ", max_norm);
}

class Clip final : public GradientScaling {
 public:
  explicit Clip(double max_norm) : max_norm_(max_norm) {}
  std::string_view name() const override { return "clip_grad_norm"; }
  std::shared_ptr<const Op> factor(bool accumulates) const override {
    return std::make_shared<ClipFactor>(max_norm_, accumulates);
  }

 private:
  double max_norm_;
};

}  // namespace

ClipGradNorm::operator std::shared_ptr<const GradientScaling>() const {
  check_max_norm(max_norm);
  return std::make_shared<Clip>(max_norm);
}

ClippedGradients clip_grad_norm(std::span<const Value> gradients, double max_norm) {
  check_max_norm(max_norm);
  check(!gradients.empty(), "clip_grad_norm: there are no gradients");
  const std::vector<Value> found =
      gradients[0].graph().add(std::make_shared<ClipFactor>(max_norm, false), gradients);
  ClippedGradients result{.gradients = {}, .norm = found[1]};
  for (const Value& gradient : gradients) result.gradients.push_back(gradient * found[0]);
  return result;
}

}  // namespace gradmill
