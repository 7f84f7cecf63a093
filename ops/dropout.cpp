#include <gradmill/ops/dropout.h>
#include <gradmill/ops/dropout/loops.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/runtime/support/random.h>

#include <algorithm>
#include <cmath>

namespace gradmill {
namespace {

template <class T>
class DropoutKernel final : public Kernel {
 public:
  DropoutKernel(double p, std::uint32_t id, std::int64_t n)
      : first_kept_(std::ceil(p * 0x1p32)), scale_(1 / (1 - p)), id_(id), tiles_{n, kGrain} {}

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::int64_t begin = tiles_.begin(tile);
    const std::int64_t n = tiles_.end(tile) - begin;
    const T* x = run.input<T>(0) + begin;
    T* y = run.output<T>(0) + begin;
    const StepInfo& step = run.step();
    if (!step.training) {
      if (y != x) std::copy_n(x, n, y);
    } else if (first_kept_ >= 0x1p32) {  // no word is that large
      std::fill_n(y, n, T(0));
    } else {
      const DropoutMask mask{.key = Philox(step.seed, step.step).bits(~std::uint64_t{0}),
                             .stream = std::uint64_t{step.micro_batch} << 32 | id_,
                             .last_dropped = static_cast<std::uint32_t>(first_kept_ - 1)};
      apply_dropout(mask, scale_, begin, x, y, n);
    }
  }
  std::string description() const override { return "elementwise dropout"; }

 private:
  static constexpr std::int64_t kGrain = kFlatGrain / 2;
  static_assert(kGrain % kDropoutGroup == 0);

  double first_kept_;  // word; at least 1
  double scale_;
  std::uint32_t id_;
  FlatTiles tiles_;
};

// Linear in x with a diagonal matrix, so its own gradient.
class Dropout final : public Op {
 public:
  Dropout(double p, std::uint32_t id) : p_(p), id_(id) {}

  std::string_view name() const override { return "dropout"; }
  std::optional<std::string> attributes() const override { return cat("p=", p_, " id=", id_); }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_floating(inputs[0]);
    check(p_ >= 0 && p_ <= 1, "p must be in [0, 1], got ", p_);
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    return {add_op(std::make_shared<const Dropout>(p_, id_), {context.upstream[0]}, {})};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Type& type = context.outputs[0];
    const std::int64_t n = type.shape.elements();
    return visit_floating(type.dtype, [&](auto element) -> std::unique_ptr<Kernel> {
      return std::make_unique<DropoutKernel<decltype(element)>>(p_, id_, n);
    });
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    constexpr double kPhiloxFlops = 20;
    Cost cost = Op::cost(inputs, outputs);
    cost.flops *= kPhiloxFlops;
    return cost;
  }

  bool in_place(int, int, std::span<const Type>) const override { return true; }

 private:
  double p_;
  std::uint32_t id_;
};

}  // namespace

Value dropout(Value x, double p, std::string name) {
  if (p == 0 && is_floating(x.dtype())) return x;
  const auto id = static_cast<std::uint32_t>(x.graph().nodes().size());
  return add_op(std::make_shared<const Dropout>(p, id), {x}, std::move(name));
}

}  // namespace gradmill
