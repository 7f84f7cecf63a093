#include <gradmill/ops/clip_grad_norm.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/reduce/squared_sum.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/ops/tiles/stages.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr double kEpsilon = 1e-6;  // PyTorch's

// Sums of squares of parts of all gradients, then their sum, in order, and what follows from it.
template <class T>
class ClipKernel final : public StagedKernel<ClipKernel<T>> {
 public:
  ClipKernel(double max_norm, std::span<const Type> gradients, bool accumulates)
      : max_norm_(max_norm),
        accumulates_(accumulates),
        gradients_(static_cast<int>(gradients.size())) {
    for (int i = 0; i < gradients_; ++i) {
      const FlatTiles tiles{gradients[static_cast<std::size_t>(i)].shape.elements(), kFlatGrain};
      for (std::int64_t tile = 0; tile < tiles.count(); ++tile) {
        const std::int64_t first = tiles.begin(tile);
        parts_.push_back({i, first, tiles.end(tile) - first});
      }
    }
    sums_ = workspace_.add<double>(std::ssize(parts_));
    this->add_stage(std::ssize(parts_), &ClipKernel::sum_part);
    this->add_stage(1, &ClipKernel::finish);
  }

  std::size_t workspace_bytes() const override { return workspace_.bytes(); }
  std::string description() const override {
    return cat("sums of squares of ", gradients_, " gradients");
  }

 private:
  struct Part {
    int gradient;
    std::int64_t first;
    std::int64_t n;
  };

  // Before the last micro-batch nobody reads the factor.
  static bool is_last(const StepInfo& step) { return step.micro_batch + 1 == step.micro_batches; }

  double* sums(const KernelRun& run) const { return sums_.in(run.workspace<std::byte>()); }

  void sum_part(std::int64_t tile, const KernelRun& run) const {
    const StepInfo& step = run.step();
    if (!is_last(step)) return;
    const Part& part = parts_[static_cast<std::size_t>(tile)];
    const T* gradient = run.input<T>(part.gradient) + part.first;
    const T* before = accumulates_ && step.micro_batch > 0
                          ? run.input<T>(gradients_ + part.gradient) + part.first
                          : nullptr;
    const T share = accumulates_ ? T(1) / static_cast<T>(step.micro_batches) : T(1);
    sums(run)[tile] = squared_sum(gradient, before, share, part.n);
  }

  void finish(std::int64_t, const KernelRun& run) const {
    if (!is_last(run.step())) return;
    const double* of_parts = sums(run);
    double sum = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) sum += of_parts[i];
    const double norm = std::sqrt(sum);
    const double factor = max_norm_ / (norm + kEpsilon);
    // Like PyTorch's clamp, this keeps a NaN.
    *run.output<T>(0) = static_cast<T>(factor > 1 ? 1 : factor);
    *run.output<T>(1) = static_cast<T>(norm);
  }

  double max_norm_;
  bool accumulates_;
  int gradients_;
  std::vector<Part> parts_;
  BlockLayout workspace_;
  BlockPart<double> sums_;  // one per part
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
    const auto gradients = context.inputs.first(gradients_of(context.inputs));
    return visit_floating(gradients[0].dtype, [&]<class T>(T) -> std::unique_ptr<Kernel> {
      return std::make_unique<ClipKernel<T>>(max_norm_, gradients, accumulates_);
    });
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
