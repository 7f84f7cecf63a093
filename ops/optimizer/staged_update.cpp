#include <gradmill/ops/optimizer/staged_update.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace gradmill {
namespace {

// Elements that are staged at a time, so that they stay in the nearest cache.
constexpr std::int64_t kBlock = 1024;

class StagedUpdate final : public ElementUpdate {
 public:
  explicit StagedUpdate(std::shared_ptr<const ElementUpdate> update) : update_(std::move(update)) {}

  std::string_view name() const override { return update_->name(); }
  const UpdateInputs& inputs() const override { return update_->inputs(); }
  double flops_per_element() const override { return update_->flops_per_element() + 2; }
  void apply(const KernelRun& run, const UpdateInputs& inputs,
             const GradientRows<float>& rows) const override {
    stage(run, inputs, rows);
  }
  void apply(const KernelRun& run, const UpdateInputs& inputs,
             const GradientRows<double>& rows) const override {
    stage(run, inputs, rows);
  }

 private:
  template <class T>
  void stage(const KernelRun& run, const UpdateInputs& inputs, const GradientRows<T>& rows) const {
    T* sums = inputs.accumulator >= 0 ? run.variable<T>(inputs.accumulator) : nullptr;
    const T scale = inputs.scale >= 0 ? *run.input<T>(inputs.scale) : T(1);
    for (std::int64_t row = 0; row < rows.rows; ++row) {
      for (std::int64_t column = 0; column < rows.columns; column += kBlock) {
        GradientRows<T> block{.gradient = rows.gradient + row * rows.gradient_stride + column,
                              .first = rows.first + row * rows.stride + column,
                              .columns = std::min(kBlock, rows.columns - column)};
        if (sums != nullptr) {
          accumulate(run, inputs, block, sums + block.first, scale);
        } else {
          std::array<T, kBlock> scaled;
          multiply(block.gradient, scale, scaled.data(), block.columns);
          block.gradient = scaled.data();
          update_->apply(run, inputs, block);
        }
      }
    }
  }

  template <class T>
  void accumulate(const KernelRun& run, const UpdateInputs& inputs, GradientRows<T> block, T* sums,
                  T scale) const {
    const StepInfo& step = run.step();
    const T part = T(1) / static_cast<T>(step.micro_batches);
    if (step.micro_batch == 0) {
      multiply(block.gradient, part, sums, block.columns);
    } else {
      for (std::int64_t i = 0; i < block.columns; ++i) sums[i] += block.gradient[i] * part;
    }
    if (step.micro_batch + 1 < step.micro_batches) return;
    if (inputs.scale >= 0) multiply(sums, scale, sums, block.columns);
    block.gradient = sums;
    update_->apply(run, inputs, block);
  }

  template <class T>
  static void multiply(const T* x, T factor, T* y, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * factor;
  }

  std::shared_ptr<const ElementUpdate> update_;
};

}  // namespace

std::shared_ptr<const ElementUpdate> staged(std::shared_ptr<const ElementUpdate> update) {
  const UpdateInputs& inputs = update->inputs();
  if (inputs.accumulator < 0 && inputs.scale < 0) return update;
  return std::make_shared<StagedUpdate>(std::move(update));
}

}  // namespace gradmill
