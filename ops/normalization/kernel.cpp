#include <gradmill/ops/normalization/kernel.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gradmill/ops/normalization/loops.h>
#include <gradmill/ops/reduce/loops.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/ops/tiles/divide_up.h>
#include <gradmill/ops/tiles/stages.h>

namespace gradmill {
namespace {

// How rows are divided into blocks, by the shape alone: of about kElements elements, but no more
// than kMaxBlocks of them, so that the sums over their rows stay few, unless one sum would get too
// long.
struct RowBlocks {
  static constexpr std::int64_t kElements = 16384;
  static constexpr std::int64_t kMaxBlocks = 64;
  static constexpr std::int64_t kMaxRows = 1024;

  RowBlocks(std::int64_t all_rows, std::int64_t n)
      : rows(all_rows),
        block(std::min(kMaxRows, std::max({(rows + kMaxBlocks - 1) / kMaxBlocks, kElements / n,
                                           std::int64_t{1}}))) {}

  std::int64_t count() const { return divide_up(rows, block); }
  std::int64_t first(std::int64_t tile) const { return tile * block; }
  std::int64_t size(std::int64_t tile) const { return std::min(block, rows - first(tile)); }

  std::int64_t rows;
  std::int64_t block;
};

template <class T>
class NormForward final : public Kernel {
 public:
  explicit NormForward(const NormProblem& problem) : p_(problem), blocks_(p_.rows, p_.n) {}

  std::int64_t tiles(int) const override { return blocks_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::int64_t row = blocks_.first(tile);
    const std::int64_t first = row * p_.n;
    normalize_rows(NormRows<T>{.rows = blocks_.size(tile),
                               .n = p_.n,
                               .eps = p_.eps,
                               .x = run.input<T>(0) + first,
                               .weight = p_.weighted ? run.input<T>(1) : nullptr,
                               .bias = p_.biased ? run.input<T>(p_.weighted ? 2 : 1) : nullptr,
                               .y = run.output<T>(0) + first,
                               .mean = p_.centered ? run.output<T>(2) + row : nullptr,
                               .rstd = run.output<T>(1) + row});
  }
  std::string description() const override { return "fused rows"; }

 private:
  NormProblem p_;
  RowBlocks blocks_;
};

// A block of rows leaves its share of dweight and dbias in the workspace; a second phase adds the
// shares up in their order.
template <class T>
class NormBackward final : public StagedKernel<NormBackward<T>> {
 public:
  NormBackward(const NormProblem& problem, NormGradients wanted)
      : p_(problem), wanted_(wanted), blocks_(p_.rows, p_.n) {
    int output = wanted_.x ? 1 : 0;
    for (const bool want : {wanted_.weight, wanted_.bias}) {
      if (want) sums_.push_back({workspace_.add<T>(blocks_.count() * stride()), output++});
    }
    this->add_stage(blocks_.count(), &NormBackward::run_rows);
    if (sums_.empty()) return;
    this->add_stage(std::ssize(sums_) * column_blocks(), &NormBackward::add_shares);
  }

  std::size_t workspace_bytes() const override { return workspace_.bytes(); }
  std::string description() const override { return "fused rows"; }

 private:
  static constexpr std::int64_t kPad = 16;  // so that no two tiles write to one cache line
  static constexpr std::int64_t kColumns = 128;

  // A sum over all rows: the shares of the blocks, `stride` apart, and the output that it becomes.
  struct Sum {
    BlockPart<T> shares;
    int output;
  };

  std::int64_t stride() const { return (p_.n + kPad - 1) / kPad * kPad; }
  std::int64_t column_blocks() const { return (p_.n + kColumns - 1) / kColumns; }

  void run_rows(std::int64_t tile, const KernelRun& run) const {
    const std::int64_t row = blocks_.first(tile);
    const std::int64_t first = row * p_.n;
    const auto cleared_share = [&](const Sum& sum) {
      T* share = sum.shares.in(run.workspace<std::byte>()) + tile * stride();
      std::fill_n(share, stride(), T(0));
      return share;
    };
    normalize_rows_backward(
        NormBackwardRows<T>{.rows = blocks_.size(tile),
                            .n = p_.n,
                            .dy = run.input<T>(0) + first,
                            .x = run.input<T>(1) + first,
                            .mean = p_.centered ? run.input<T>(3) + row : nullptr,
                            .rstd = run.input<T>(2) + row,
                            .weight = p_.weighted ? run.input<T>(p_.centered ? 4 : 3) : nullptr,
                            .dx = wanted_.x ? run.output<T>(0) + first : nullptr,
                            .dweight = wanted_.weight ? cleared_share(sums_.front()) : nullptr,
                            .dbias = wanted_.bias ? cleared_share(sums_.back()) : nullptr});
  }

  void add_shares(std::int64_t tile, const KernelRun& run) const {
    const Sum& sum = sums_[static_cast<std::size_t>(tile / column_blocks())];
    const std::int64_t column = tile % column_blocks() * kColumns;
    sum_columns(sum.shares.in(run.workspace<std::byte>()) + column, stride(), blocks_.count(),
                std::min(kColumns, p_.n - column), run.output<T>(sum.output) + column);
  }

  NormProblem p_;
  NormGradients wanted_;
  RowBlocks blocks_;
  BlockLayout workspace_;
  std::vector<Sum> sums_;  // of weight and bias, where they are wanted
};

}  // namespace

std::unique_ptr<Kernel> make_norm(const NormProblem& problem) {
  return visit_floating(problem.dtype, [&]<class T>(T) -> std::unique_ptr<Kernel> {
    return std::make_unique<NormForward<T>>(problem);
  });
}

std::unique_ptr<Kernel> make_norm_backward(const NormProblem& problem, NormGradients wanted) {
  return visit_floating(problem.dtype, [&]<class T>(T) -> std::unique_ptr<Kernel> {
    return std::make_unique<NormBackward<T>>(problem, wanted);
  });
}

}  // namespace gradmill
