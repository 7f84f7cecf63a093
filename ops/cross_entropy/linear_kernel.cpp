#include <gradmill/ops/cross_entropy/linear_kernel.h>

#include <algorithm>
#include <vector>

#include <gradmill/ops/cross_entropy/linear_rows.h>
#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/matmul/block_product.h>
#include <gradmill/ops/matmul/multiply.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/support/alignment.h>

namespace gradmill {
namespace {

using Parts = CrossEntropyParts;

constexpr std::int64_t kBiasColumns = 1024;    // a tile
constexpr std::int64_t kBlockRows = 256;       // fewer make passes over the weight dear
constexpr std::int64_t kQuantum = 8;           // rows that a block is a multiple of
constexpr std::int64_t kSmallBlock = 8 << 20;  // bytes of a block that stays in a cache
constexpr std::int64_t kMostBlock = 64 << 20;

// Rows of logits that lie in memory at once.
std::int64_t block_rows(std::int64_t rows, std::int64_t row_bytes) {
  const std::int64_t fit = std::max(kSmallBlock / row_bytes, kBlockRows);
  const std::int64_t most = std::max(kQuantum, std::min(fit, kMostBlock / row_bytes));
  const std::int64_t even = divide_up(rows, divide_up(rows, most));
  return std::min(rows, divide_up(even, kQuantum) * kQuantum);
}

// Blocks follow one another. Of each, a phase makes the logits, one passes over their rows, which
// become their gradient in place, and one multiplies that with weight and x; in the sums that
// become the weight's and the bias's gradient, the blocks follow one another, too. Labels are
// checked beside the first logits. Where the sum that becomes the gradient of x is cut, its parts
// are added up beside the next block's logits.
template <class T>
class LinearCrossEntropyKernel final : public Kernel {
 public:
  LinearCrossEntropyKernel(LinearCrossEntropyProblem problem, const Tuning* tuning)
      : problem_(std::move(problem)),
        rows_(problem_.targets.elements()),
        features_(problem_.x.shape.elements() / rows_),
        classes_(problem_.classes),
        block_(block_rows(rows_, classes_ * static_cast<std::int64_t>(sizeof(T)))),
        blocks_(divide_up(rows_, block_)),
        stride_(packed_stride(classes_)),
        loss_(problem_, block_, blocks_),
        logits_({problem_.x.dtype, block_, classes_, features_, false, true}, features_, false,
                tuning),
        dx_({problem_.x.dtype, block_, features_, classes_}, stride_, true, tuning),
        dweight_({problem_.x.dtype, classes_, features_, block_, true, false}, stride_, false,
                 tuning) {
    for (std::int64_t block = 0; block < blocks_; ++block) {
      stages_.push_back({Stage::logits, block});
      stages_.push_back({Stage::rows, block});
      if (problem_.gradients.count() > 0) stages_.push_back({Stage::products, block});
    }
    if (total() || (problem_.gradients.x && dx_.cut())) {
      stages_.push_back({Stage::last, blocks_ - 1});
    }
    small_ = blocks_ == 1 && loss_.label_tiles() == 1 && logits_.tiles(rows_) == 1 &&
             stage_tiles(stages_[1]) == 1 && dx_.tiles(rows_) == 1 && dweight_.tiles(classes_) == 1;
  }

  int phases() const override { return small_ ? 1 : static_cast<int>(stages_.size()); }

  std::int64_t tiles(int phase) const override {
    return small_ ? 1 : stage_tiles(stages_[static_cast<std::size_t>(phase)]);
  }

  std::size_t workspace_bytes() const override {
    return block_offset() + block_bytes() + dx_parts() * sizeof(T);
  }

  std::size_t scratch_bytes() const override {
    std::size_t bytes = logits_.scratch_bytes();
    if (problem_.gradients.x) bytes = std::max(bytes, dx_.scratch_bytes());
    if (problem_.gradients.weight) bytes = std::max(bytes, dweight_.scratch_bytes());
    if (problem_.gradients.bias) bytes = std::max(bytes, kBiasColumns * sizeof(T));
    return bytes;
  }

  void run(int phase, std::int64_t tile, const KernelRun& run) const override {
    if (!small_) return run_stage(stages_[static_cast<std::size_t>(phase)], tile, run);
    for (const Step& step : stages_) {
      for (std::int64_t i = 0; i < stage_tiles(step); ++i) run_stage(step, i, run);
    }
  }

  std::string description() const override {
    std::string text =
        cat(blocks_, " blocks of ", block_, " rows, tiles of ", logits_.description());
    if (problem_.gradients.x) text += "; " + dx_.description();
    if (problem_.gradients.weight) text += "; " + dweight_.description();
    return text;
  }

 private:
  enum class Stage : std::uint8_t { logits, rows, products, last };
  struct Step {
    Stage stage;
    std::int64_t block;
  };

  std::int64_t rows_of(std::int64_t block) const {
    return std::min(block_, rows_ - block * block_);
  }
  bool total() const { return problem_.parts != Parts::gradient && loss_.reduced(); }
  std::int64_t sum_tiles(std::int64_t block) const {
    return problem_.gradients.x && block >= 0 ? dx_.sum_tiles(rows_of(block)) : 0;
  }

  std::int64_t stage_tiles(const Step& step) const {
    const std::int64_t rows = rows_of(step.block);
    const LinearGradients& wanted = problem_.gradients;
    switch (step.stage) {
      case Stage::logits:
        return (step.block == 0 ? loss_.label_tiles() : sum_tiles(step.block - 1)) +
               logits_.tiles(rows);
      case Stage::rows: return loss_.tiles(rows);
      case Stage::products:
        return (wanted.x ? dx_.tiles(rows) : 0) + (wanted.weight ? dweight_.tiles(classes_) : 0) +
               (wanted.bias ? divide_up(classes_, kBiasColumns) : 0);
      case Stage::last: return sum_tiles(step.block) + 1;
    }
    return 1;
  }

  void run_stage(const Step& step, std::int64_t tile, const KernelRun& run) const {
    switch (step.stage) {
      case Stage::logits: return run_logits(step.block, tile, run);
      case Stage::rows:
        return loss_.run(step.block, tile, rows_of(step.block), logits(run), stride_,
                         loss_buffers(run));
      case Stage::products: return run_products(step.block, tile, run);
      case Stage::last: break;
    }
    const std::int64_t sums = sum_tiles(step.block);
    if (tile < sums) return dx_.sum_parts(tile, dx_operands(step.block, run));
    if (total()) loss_.add_losses(loss_buffers(run));
  }

  // The workspace: sums of the labels and losses, a block of logits, parts of the gradient of x.
  std::size_t block_offset() const {
    return align_up(static_cast<std::size_t>(loss_.sums()) * sizeof(double));
  }
  std::size_t block_bytes() const {
    return align_up(static_cast<std::size_t>(block_ * stride_) * sizeof(T));
  }
  std::size_t dx_parts() const { return problem_.gradients.x ? dx_.parts_elements() : 0; }
  T* logits(const KernelRun& run) const {
    return reinterpret_cast<T*>(run.workspace<std::byte>() + block_offset());
  }

  LossBuffers<T> loss_buffers(const KernelRun& run) const {
    LossBuffers<T> buffers{.labels = run.input<std::int64_t>(2), .sums = run.workspace<double>()};
    int input = problem_.bias ? 4 : 3;
    if (problem_.parts == Parts::gradient) buffers.known_rest = run.input<T>(input++);
    if (problem_.parts != Parts::loss) buffers.upstream = run.input<T>(input);
    if (problem_.parts != Parts::gradient) buffers.loss = run.output<T>(0);
    if (problem_.parts == Parts::loss) buffers.rest = run.output<T>(1);
    return buffers;
  }
  int first_gradient() const { return problem_.parts == Parts::gradient ? 0 : 1; }

  void run_logits(std::int64_t block, std::int64_t tile, const KernelRun& run) const {
    const std::int64_t others = block == 0 ? loss_.label_tiles() : sum_tiles(block - 1);
    if (tile < others) {
      if (block == 0) return loss_.check_labels(tile, loss_buffers(run));
      return dx_.sum_parts(tile, dx_operands(block - 1, run));
    }
    T* z = logits(run);
    const BlockOperands<T> operands{.rows = rows_of(block),
                                    .depth = features_,
                                    .a = run.input<T>(0) + block * block_ * features_,
                                    .b = run.input<T>(1),
                                    .c = z,
                                    .c_stride = stride_};
    const auto place = logits_.run(tile - others, operands, run.scratch<std::byte>());
    if (!problem_.bias) return;
    const T* bias = run.input<T>(3) + place.column;
    for (std::int64_t row = place.row; row < place.row + place.rows; ++row) {
      T* at = z + row * stride_ + place.column;
      kAdd(at, 1, bias, 1, at, place.columns);
    }
  }

  BlockOperands<T> dx_operands(std::int64_t block, const KernelRun& run) const {
    return {
        .rows = rows_of(block),
        .depth = classes_,
        .a = logits(run),
        .b = run.input<T>(1),
        .c = run.output<T>(first_gradient()) + block * block_ * features_,
        .c_stride = features_,
        .parts = reinterpret_cast<T*>(run.workspace<std::byte>() + block_offset() + block_bytes())};
  }

  void run_products(std::int64_t block, std::int64_t tile, const KernelRun& run) const {
    const LinearGradients& wanted = problem_.gradients;
    std::byte* scratch = run.scratch<std::byte>();
    int output = first_gradient();
    if (wanted.x) {
      // Those of x first: they are the longest.
      if (tile < dx_.tiles(rows_of(block))) {
        dx_.run(tile, dx_operands(block, run), scratch);
        return;
      }
      tile -= dx_.tiles(rows_of(block));
      ++output;
    }
    if (wanted.weight) {
      if (tile < dweight_.tiles(classes_)) {
        const BlockOperands<T> operands{.rows = classes_,
                                        .depth = rows_of(block),
                                        .a = logits(run),
                                        .b = run.input<T>(0) + block * block_ * features_,
                                        .add = block > 0,
                                        .c = run.output<T>(output),
                                        .c_stride = features_};
        dweight_.run(tile, operands, scratch);
        return;
      }
      tile -= dweight_.tiles(classes_);
      ++output;
    }
    add_columns(block, tile, run, run.output<T>(output));
  }

  // The gradient of the bias, from one strip of columns of a block.
  void add_columns(std::int64_t block, std::int64_t tile, const KernelRun& run, T* bias) const {
    const std::int64_t column = tile * kBiasColumns;
    const std::int64_t columns = std::min(kBiasColumns, classes_ - column);
    const T* from = logits(run) + column;
    T* sum = run.scratch<T>();
    std::copy_n(from, columns, sum);
    for (std::int64_t row = 1; row < rows_of(block); ++row) {
      kAdd(sum, 1, from + row * stride_, 1, sum, columns);
    }
    T* to = bias + column;
    if (block == 0) {
      std::copy_n(sum, columns, to);
    } else {
      kAdd(to, 1, sum, 1, to, columns);
    }
  }

  LinearCrossEntropyProblem problem_;
  std::int64_t rows_;
  std::int64_t features_;
  std::int64_t classes_;
  std::int64_t block_;  // rows of logits at a time
  std::int64_t blocks_;
  std::int64_t stride_;  // from one row of logits to the next
  LossRows<T> loss_;
  BlockProduct logits_;
  BlockProduct dx_;
  BlockProduct dweight_;
  std::vector<Step> stages_;
  bool small_ = false;
};

}  // namespace

std::unique_ptr<Kernel> make_linear_cross_entropy(const LinearCrossEntropyProblem& problem,
                                                  const Tuning* tuning) {
  if (problem.x.dtype == DType::f32) {
    return std::make_unique<LinearCrossEntropyKernel<float>>(problem, tuning);
  }
  return std::make_unique<LinearCrossEntropyKernel<double>>(problem, tuning);
}

}  // namespace gradmill
