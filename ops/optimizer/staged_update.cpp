#include <gradmill/ops/optimizer/staged_update.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <utility>

namespace gradmill {

std::vector<int> ElementUpdate::writes() const {
  std::vector<int> written(1 + static_cast<std::size_t>(states()));
  std::iota(written.begin(), written.end(), 0);
  return written;
}

namespace {

// Elements that are staged at a time, so that they stay in the nearest cache.
constexpr std::int64_t kBlock = 1024;

class StagedUpdate final : public ElementUpdate {
 public:
  StagedUpdate(std::shared_ptr<const ElementUpdate> update, const UpdateForm& form, bool counts)
      : update_(std::move(update)), form_(form), behind_(update_->states() + (counts ? 1 : 0)) {}

  std::string_view name() const override { return update_->name(); }
  int states() const override { return update_->states(); }
  std::vector<int> writes() const override {
    std::vector<int> written = update_->writes();
    if (form_.accumulates) written.push_back(1 + behind_);
    return written;
  }
  double flops_per_element() const override { return update_->flops_per_element() + 2; }
  void apply(const KernelRun& run, UpdateInputs inputs,
             const GradientRows<float>& rows) const override {
    stage(run, inputs, rows);
  }
  void apply(const KernelRun& run, UpdateInputs inputs,
             const GradientRows<double>& rows) const override {
    stage(run, inputs, rows);
  }

 private:
  template <class T>
  void stage(const KernelRun& run, UpdateInputs inputs, const GradientRows<T>& rows) const {
    const int behind = inputs.state + behind_;
    T* sums = form_.accumulates ? run.variable<T>(behind) : nullptr;
    const T scale = form_.scaled ? *run.input<T>(behind + (form_.accumulates ? 1 : 0)) : T(1);
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
  void accumulate(const KernelRun& run, UpdateInputs inputs, GradientRows<T> block, T* sums,
                  T scale) const {
    const StepInfo& step = run.step();
    const T part = T(1) / static_cast<T>(step.micro_batches);
    if (step.micro_batch == 0) {
      multiply(block.gradient, part, sums, block.columns);
    } else {
      for (std::int64_t i = 0; i < block.columns; ++i) sums[i] += block.gradient[i] * part;
    }
    if (step.micro_batch + 1 < step.micro_batches) return;
    if (form_.scaled) multiply(sums, scale, sums, block.columns);
    block.gradient = sums;
    update_->apply(run, inputs, block);
  }

  template <class T>
  static void multiply(const T* x, T factor, T* y, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * factor;
  }

  std::shared_ptr<const ElementUpdate> update_;
  UpdateForm form_;
  int behind_;
};

}  // namespace

std::shared_ptr<const ElementUpdate> staged(std::shared_ptr<const ElementUpdate> update,
                                            const UpdateForm& form, bool counts) {
  if (form == UpdateForm{}) return update;
  return std::make_shared<StagedUpdate>(std::move(update), form, counts);
}

}  // namespace gradmill
