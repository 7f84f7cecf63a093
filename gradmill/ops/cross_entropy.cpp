#include <gradmill/ops/cross_entropy.h>

#include <cmath>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/cross_entropy_kernel.h>
#include <gradmill/ops/labels.h>
#include <gradmill/ops/reduce.h>
#include <gradmill/ops/softmax.h>

namespace gradmill {
namespace {

// What one node computes of: loss (scalar), sums [B] and gradient [B, C].
enum class Parts { loss_and_sums, gradient, loss_and_gradient };

template <class T>
class CrossEntropyKernel : public Kernel {
 public:
  CrossEntropyKernel(Parts parts, const Shape& logits, std::string_view name)
      : parts_(parts), classes_(logits[1]), tiles_(logits[0], logits[1]), name_(name) {}

  int phases() const override { return parts_ == Parts::gradient ? 1 : 2; }
  std::int64_t tiles(int phase) const override { return phase == 0 ? tiles_.count() : 1; }

  // One partial loss a tile, in double: the rows are then summed in one order, whoever ran them.
  std::size_t workspace_bytes() const override {
    return parts_ == Parts::gradient ? 0
                                     : static_cast<std::size_t>(tiles_.count()) * sizeof(double);
  }

  void run(int phase, std::int64_t tile, const KernelRun& run) const override {
    if (phase == 0) {
      run_rows(tile, run);
      return;
    }
    const double* partial = run.workspace<double>();
    double total = 0;
    for (std::int64_t i = 0; i < tiles_.count(); ++i) total += partial[i];
    *run.output<T>(0) = static_cast<T>(total / static_cast<double>(tiles_.rows));
  }

  std::string description() const override {
    return cat(parts_ == Parts::loss_and_sums ? "loss"
               : parts_ == Parts::gradient    ? "gradient"
                                              : "loss and gradient",
               " by rows, ", tiles_.count(), " tiles of ", tiles_.grain);
  }

 private:
  void run_rows(std::int64_t tile, const KernelRun& run) const {
    const T* logits = run.input<T>(0);
    const std::int64_t* labels = run.input<std::int64_t>(1);
    double total = 0;
    for (std::int64_t row = tiles_.begin(tile); row < tiles_.end(tile); ++row) {
      check_label("cross_entropy", name_, row, labels[row], classes_);
      const T* z = logits + row * classes_;
      RowLoss<T> loss{};
      switch (parts_) {
        case Parts::loss_and_sums:
          loss = row_loss(z, classes_, labels[row]);
          run.output<T>(1)[row] = loss.sum;
          break;
        case Parts::gradient:
          row_gradient(z, classes_, labels[row], run.input<T>(2)[row], scale(run.input<T>(3)),
                       run.output<T>(0) + row * classes_);
          continue;
        case Parts::loss_and_gradient:
          loss = row_loss_and_gradient(z, classes_, labels[row], scale(run.input<T>(2)),
                                       run.output<T>(1) + row * classes_);
          break;
      }
      total += std::log(static_cast<double>(loss.sum)) - static_cast<double>(loss.label_offset);
    }
    if (parts_ != Parts::gradient) run.workspace<double>()[tile] = total;
  }

  T scale(const T* upstream) const { return *upstream / static_cast<T>(tiles_.rows); }

  Parts parts_;
  std::int64_t classes_;
  RowTiles tiles_;
  std::string name_;
};

class CrossEntropyBase : public Op {
 public:
  explicit CrossEntropyBase(Parts parts) : parts_(parts) {}

  bool differentiable(int input) const override { return input == 0; }
  bool fallible() const override { return true; }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Type& logits = context.inputs[0];
    if (logits.dtype == DType::f32) {
      return std::make_unique<CrossEntropyKernel<float>>(parts_, logits.shape, context.name);
    }
    return std::make_unique<CrossEntropyKernel<double>>(parts_, logits.shape, context.name);
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = 20.0 * static_cast<double>(inputs[0].shape.elements());  // mostly exp
    return cost;
  }

 private:
  Parts parts_;
};

// Inputs: logits, labels, upstream. Outputs: loss, gradient.
class CrossEntropyTrain final : public CrossEntropyBase {
 public:
  CrossEntropyTrain() : CrossEntropyBase(Parts::loss_and_gradient) {}
  std::string_view name() const override { return "cross_entropy_with_gradient"; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_logits_and_labels(inputs[0], inputs[1]);
    return {{inputs[0].dtype, {}}, inputs[0]};
  }

  bool in_place(int input, int output, std::span<const Type>) const override {
    return input == 0 && output == 1;
  }
};

// Inputs: logits, labels, sums, upstream. Output: gradient.
class CrossEntropyBackward final : public CrossEntropyBase {
 public:
  CrossEntropyBackward() : CrossEntropyBase(Parts::gradient) {}
  std::string_view name() const override { return "cross_entropy_backward"; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_logits_and_labels(inputs[0], inputs[1]);
    return {inputs[0]};
  }

  // The sums are a function of the logits, and part of that derivative.
  bool differentiable(int input) const override { return input == 0 || input == 3; }

  // Of g_j = (p_j - y_j) u / B along an upstream G: d/dz_j = p_j (G_j - sum_k G_k p_k) u / B, and
  // d/du = sum_j G_j (p_j - y_j) / B.
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value logits = context.inputs[0];
    const Value upstream = context.inputs[3];
    const Value flow = context.upstream[0];
    Graph& graph = logits.graph();
    std::vector<Value> gradients(4);
    if (context.needed[0]) {
      const Value p = softmax(logits, 1);
      const Value centered = sub(flow, sum(mul(p, flow), {1}, true));
      gradients[0] =
          mul(mul(p, centered), mul(upstream, 1.0 / static_cast<double>(logits.shape()[0])));
    }
    if (context.needed[3]) {
      const Value one = graph.constant(1.0, {}, logits.dtype());
      const Value unit = graph.add(std::make_shared<CrossEntropyBackward>(),
                                   {logits, context.inputs[1], context.inputs[2], one})[0];
      gradients[3] = sum(mul(flow, unit));
    }
    return gradients;
  }

  bool in_place(int input, int output, std::span<const Type>) const override {
    return input == 0 && output == 0;
  }
};

// Inputs: logits, labels. Outputs: loss, sums.
class CrossEntropy final : public CrossEntropyBase {
 public:
  CrossEntropy() : CrossEntropyBase(Parts::loss_and_sums) {}
  std::string_view name() const override { return "cross_entropy"; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_logits_and_labels(inputs[0], inputs[1]);
    return {{inputs[0].dtype, {}}, {inputs[0].dtype, Shape({inputs[0].shape[0]})}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value logits = context.inputs[0];
    return {
        logits.graph().add(std::make_shared<CrossEntropyBackward>(),
                           {logits, context.inputs[1], context.outputs[1], context.upstream[0]})[0],
        Value()};
  }

  // Both passes over the logits become one. The backward node was made from this one's inputs.
  std::optional<Absorbed> absorb(const Absorption& offer) const override {
    const bool backward = dynamic_cast<const CrossEntropyBackward*>(&offer.consumer) != nullptr;
    if (!backward || offer.from_producer[2] != 1 || offer.from_producer[3] >= 0)
      return std::nullopt;
    return Absorbed{std::make_shared<CrossEntropyTrain>(), {3}, {0, -1}};
  }
};

}  // namespace

Value cross_entropy(Value logits, Value labels, std::string name) {
  return logits.graph().add(std::make_shared<CrossEntropy>(), {logits, labels}, std::move(name))[0];
}

}  // namespace gradmill
