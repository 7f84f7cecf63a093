#include <gradmill/ops/normalization/kernel.h>
#include <gradmill/ops/normalization/loops.h>
#include <gradmill/ops/reduce/loops.h>

#include <algorithm>

namespace gradmill {
namespace {

// How rows are shared out, by the shape alone: blocks of about kElements elements, but no more than
// kBlocks of them, so that the sums over their rows stay few, unless one sum would get too long.
struct RowBlocks {
  static constexpr std::int64_t kElements = 16384;
  static constexpr std::int64_t kBlocks = 64;
  static constexpr std::int64_t kMostRows = 1024;

  RowBlocks(std::int64_t all_rows, std::int64_t columns)
      : rows(all_rows),
        n(columns),
        block(std::min(kMostRows, std::max({(rows + kBlocks - 1) / kBlocks, kElements / n,
                                            std::int64_t{1}}))) {}

  std::int64_t count() const { return (rows + block - 1) / block; }
  std::int64_t begin(std::int64_t tile) const { return tile * block; }
  std::int64_t size(std::int64_t tile) const { return std::min(block, rows - begin(tile)); }

  std::int64_t rows;
  std::int64_t n;
  std::int64_t block;
};

template <class T>
class NormKernel final : public Kernel {
 public:
  NormKernel(const NormSettings& settings, RowBlocks blocks)
      : settings_(settings), blocks_(blocks) {}

  std::int64_t tiles(int) const override { return blocks_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::int64_t row = blocks_.begin(tile);
    const std::int64_t first = row * blocks_.n;
    normalize_rows(
        NormRows<T>{.rows = blocks_.size(tile),
                    .n = blocks_.n,
                    .eps = settings_.eps,
                    .x = run.input<T>(0) + first,
                    .weight = settings_.weighted ? run.input<T>(1) : nullptr,
                    .bias = settings_.biased ? run.input<T>(settings_.weighted ? 2 : 1) : nullptr,
                    .y = run.output<T>(0) + first,
                    .mean = settings_.centered ? run.output<T>(2) + row : nullptr,
                    .rstd = run.output<T>(1) + row});
  }
  std::string description() const override { return "fused rows"; }

 private:
  NormSettings settings_;
  RowBlocks blocks_;
};

// A block of rows leaves its share of dweight and dbias in the workspace; a second phase adds the
// shares up in their order.
template <class T>
class NormBackwardKernel final : public Kernel {
 public:
  NormBackwardKernel(const NormSettings& settings, NormWanted wanted, RowBlocks blocks)
      : settings_(settings),
        wanted_(wanted),
        blocks_(blocks),
        sums_((wanted.weight ? 1 : 0) + (wanted.bias ? 1 : 0)),
        stride_((blocks.n + kPad - 1) / kPad * kPad) {}

  int phases() const override { return sums_ > 0 ? 2 : 1; }
  std::int64_t tiles(int phase) const override {
    return phase == 0 ? blocks_.count() : sums_ * column_blocks();
  }
  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(blocks_.count() * sums_ * stride_) * sizeof(T);
  }
  void run(int phase, std::int64_t tile, const KernelRun& run) const override {
    if (phase == 0) return run_rows(tile, run);
    const std::int64_t sum = tile / column_blocks();
    const std::int64_t column = tile % column_blocks() * kColumns;
    sum_columns(run.workspace<T>() + sum * stride_ + column, sums_ * stride_, blocks_.count(),
                std::min(kColumns, blocks_.n - column),
                run.output<T>(static_cast<int>(sum) + (wanted_.x ? 1 : 0)) + column);
  }
  std::string description() const override { return "fused rows"; }

 private:
  static constexpr std::int64_t kPad = 16;  // so that no two tiles write to one cache line
  static constexpr std::int64_t kColumns = 128;

  std::int64_t column_blocks() const { return (blocks_.n + kColumns - 1) / kColumns; }

  void run_rows(std::int64_t tile, const KernelRun& run) const {
    const std::int64_t row = blocks_.begin(tile);
    const std::int64_t first = row * blocks_.n;
    T* share = run.workspace<T>() + tile * sums_ * stride_;
    std::fill_n(share, sums_ * stride_, T(0));
    const int weight = settings_.centered ? 4 : 3;
    normalize_rows_backward(NormBackwardRows<T>{
        .rows = blocks_.size(tile),
        .n = blocks_.n,
        .dy = run.input<T>(0) + first,
        .x = run.input<T>(1) + first,
        .mean = settings_.centered ? run.input<T>(3) + row : nullptr,
        .rstd = run.input<T>(2) + row,
        .weight = settings_.weighted ? run.input<T>(weight) : nullptr,
        .dx = wanted_.x ? run.output<T>(0) + first : nullptr,
        .dweight = wanted_.weight ? share : nullptr,
        .dbias = wanted_.bias ? share + (wanted_.weight ? stride_ : 0) : nullptr});
  }

  NormSettings settings_;
  NormWanted wanted_;
  RowBlocks blocks_;
  std::int64_t sums_;
  std::int64_t stride_;
};

}  // namespace

std::unique_ptr<Kernel> make_norm(const NormSettings& settings, const Type& x, std::int64_t n) {
  const RowBlocks blocks(x.shape.elements() / n, n);
  if (x.dtype == DType::f32) return std::make_unique<NormKernel<float>>(settings, blocks);
  return std::make_unique<NormKernel<double>>(settings, blocks);
}

std::unique_ptr<Kernel> make_norm_backward(const NormSettings& settings, NormWanted wanted,
                                           const Type& x, std::int64_t n) {
  const RowBlocks blocks(x.shape.elements() / n, n);
  if (x.dtype == DType::f32) {
    return std::make_unique<NormBackwardKernel<float>>(settings, wanted, blocks);
  }
  return std::make_unique<NormBackwardKernel<double>>(settings, wanted, blocks);
}

}  // namespace gradmill
