#include <gradmill/ops/accuracy.h>

#include <algorithm>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/cross_entropy/labels.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/ops/tiles/stages.h>

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

constexpr std::int64_t kElements = 16384;  // per tile, about

template <class T>
class AccuracyKernel final : public StagedKernel<AccuracyKernel<T>> {
 public:
  explicit AccuracyKernel(const Shape& logits)
      : labels_({logits[0]}),
        classes_(logits[1]),
        tiles_{logits[0], std::max<std::int64_t>(1, kElements / logits[1])},
        hits_(workspace_.add<std::int64_t>(tiles_.count())) {
    this->add_stage(tiles_.count(), &AccuracyKernel::count);
    this->add_stage(1, &AccuracyKernel::divide);
  }

  std::size_t workspace_bytes() const override { return workspace_.bytes(); }
  std::string description() const override {
    return cat("argmax by rows, ", tiles_.count(), " tiles of ", tiles_.grain);
  }

 private:
  void count(std::int64_t tile, const KernelRun& run) const {
    const auto* labels = run.input<std::int64_t>(1);
    std::int64_t hits = 0;
    for (std::int64_t row = tiles_.begin(tile); row < tiles_.end(tile); ++row) {
      check_label(labels[row], row, labels_, classes_);
      hits += argmax(run.input<T>(0) + row * classes_, classes_) == labels[row] ? 1 : 0;
    }
    hits_.in(run.workspace<std::byte>())[tile] = hits;
  }

  void divide(std::int64_t /*tile*/, const KernelRun& run) const {
    const std::int64_t* hits = hits_.in(run.workspace<std::byte>());
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < tiles_.count(); ++i) sum += hits[i];
    *run.output<T>(0) = static_cast<T>(static_cast<double>(sum) / static_cast<double>(tiles_.n));
  }

  Shape labels_;
  std::int64_t classes_;
  FlatTiles tiles_;  // of rows
  BlockLayout workspace_;
  BlockPart<std::int64_t> hits_;  // one number per tile
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
    return visit_floating(logits.dtype, [&](auto element) -> std::unique_ptr<Kernel> {
      return std::make_unique<AccuracyKernel<decltype(element)>>(logits.shape);
    });
  }
};

}  // namespace

Value accuracy(Value logits, Value labels, std::string name) {
  return logits.graph().add(std::make_shared<Accuracy>(), {logits, labels}, std::move(name))[0];
}

}  // namespace gradmill
