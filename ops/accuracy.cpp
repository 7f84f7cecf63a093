#include <gradmill/ops/accuracy.h>

#include <algorithm>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/cross_entropy/labels.h>
#include <gradmill/ops/elementwise/elementwise.h>

namespace gradmill {
namespace {

template <class T>
std::int64_t argmax(const T* z, std::int64_t n) {
  std::int64_t best = 0;
  for (std::int64_t j = 1; j < n && z[best] == z[best]; ++j) {
    if (z[j] > z[best] || z[j] != z[j]) best = j;
  }
  return best;
}

constexpr std::int64_t kElements = 16384;  // a tile, about

template <class T>
class AccuracyKernel : public Kernel {
 public:
  explicit AccuracyKernel(const Shape& logits)
      : labels_({logits[0]}),
        classes_(logits[1]),
        tiles_{logits[0], std::max<std::int64_t>(1, kElements / logits[1])} {}

  int phases() const override { return 2; }
  std::int64_t tiles(int phase) const override { return phase == 0 ? tiles_.count() : 1; }
  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(tiles_.count()) * sizeof(std::int64_t);
  }

  void run(int phase, std::int64_t tile, const KernelRun& run) const override {
    auto* counts = run.workspace<std::int64_t>();
    std::int64_t hits = 0;
    if (phase == 0) {
      const auto* labels = run.input<std::int64_t>(1);
      for (std::int64_t row = tiles_.begin(tile); row < tiles_.end(tile); ++row) {
        check_label(labels[row], row, labels_, classes_);
        hits += argmax(run.input<T>(0) + row * classes_, classes_) == labels[row] ? 1 : 0;
      }
      counts[tile] = hits;
      return;
    }
    for (std::int64_t i = 0; i < tiles_.count(); ++i) hits += counts[i];
    *run.output<T>(0) = static_cast<T>(static_cast<double>(hits) / static_cast<double>(tiles_.n));
  }

  std::string description() const override {
    return cat("argmax by rows, ", tiles_.count(), " tiles of ", tiles_.grain);
  }

 private:
  Shape labels_;
  std::int64_t classes_;
  FlatTiles tiles_;  // of rows
};

class Accuracy final : public Op {
 public:
  std::string_view name() const override { return "accuracy"; }
  std::optional<std::string> attributes() const override { return ""; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Type& logits = inputs[0];
    const Type& labels = inputs[1];
    check(is_floating(logits.dtype) && logits.shape.rank() == 2,
          "logits must be f32 or f64 of shape [B, C], got ", logits);
    check(labels.dtype == DType::i64, "labels must be i64, got ", labels);
    check(labels.shape == Shape({logits.shape[0]}),
          "labels must be [B] for logits [B, C], got labels ", labels.shape, " for logits ",
          logits.shape);
    return {{logits.dtype, {}}};
  }

  // Asking for the gradient is an error rather than zeros: a step function trains nothing.
  bool differentiable(int input) const override { return input == 0; }
  bool fallible() const override { return true; }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Type& logits = context.inputs[0];
    if (logits.dtype == DType::f32) {
      return std::make_unique<AccuracyKernel<float>>(logits.shape);
    }
    return std::make_unique<AccuracyKernel<double>>(logits.shape);
  }
};

}  // namespace

Value accuracy(Value logits, Value labels, std::string name) {
  return logits.graph().add(std::make_shared<Accuracy>(), {logits, labels}, std::move(name))[0];
}

}  // namespace gradmill
