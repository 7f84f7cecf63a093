#include <gradmill/ops/cross_entropy/linear/kernel.h>

#include <algorithm>
#include <string>
#include <utility>

#include <gradmill/ops/cross_entropy/linear/block_loss.h>
#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/matmul/block_product.h>
#include <gradmill/ops/matmul/multiply.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/ops/tiles/divide_up.h>
#include <gradmill/ops/tiles/stages.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::int64_t kBiasColumns = 1024;         // per tile
constexpr std::int64_t kBlockRows = 256;            // with fewer, passes over the weight are dear
constexpr std::int64_t kQuantum = 8;                // rows that a block is a multiple of
constexpr std::int64_t kSmallBlockBytes = 8 << 20;  // of a block that stays in a cache
constexpr std::int64_t kMaxBlockBytes = 64 << 20;

// Rows of logits that are in memory at once.
std::int64_t block_rows(std::int64_t rows, std::int64_t row_bytes) {
  const std::int64_t fit = std::max(kSmallBlockBytes / row_bytes, kBlockRows);
  const std::int64_t max = std::max(kQuantum, std::min(fit, kMaxBlockBytes / row_bytes));
  const std::int64_t even = divide_up(rows, divide_up(rows, max));
  return std::min(rows, divide_up(even, kQuantum) * kQuantum);
}

// Blocks follow one another. For each, one stage makes the logits, one turns their rows into their
// gradient in place, and one multiplies that with weight and x, adding to what the blocks before
// left in the gradients of weight and bias. Labels are checked beside the first logits. Where the
// sum that becomes the gradient of x is cut, its parts are added up beside the next block's logits.
template <class T>
class LinearCrossEntropyKernel final
    : public StagedKernel<LinearCrossEntropyKernel<T>, std::int64_t> {
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
    const LinearGradients& wanted = problem_.gradients;
    for (std::int64_t block = 0; block < blocks_; ++block) {
      const std::int64_t rows = rows_of(block);
      this->add_stage(tiles_beside_logits(block) + logits_.tiles(rows),
                      &LinearCrossEntropyKernel::run_logits, block);
      this->add_stage(loss_.tiles(rows), &LinearCrossEntropyKernel::run_rows, block);
      if (wanted.count() > 0) {
        this->add_stage((wanted.x ? dx_.tiles(rows) : 0) +
                            (wanted.weight ? dweight_.tiles(classes_) : 0) +
                            (wanted.bias ? divide_up(classes_, kBiasColumns) : 0),
                        &LinearCrossEntropyKernel::run_products, block);
      }
    }
    if (total() || (wanted.x && dx_.cut())) {
      this->add_stage(sum_tiles(blocks_ - 1) + 1, &LinearCrossEntropyKernel::finish, blocks_ - 1);
    }
    if (blocks_ == 1 && loss_.label_tiles() == 1 && logits_.tiles(rows_) == 1 &&
        loss_.tiles(rows_) == 1 && dx_.tiles(rows_) == 1 && dweight_.tiles(classes_) == 1) {
      this->run_as_one();
    }

    label_totals_ = workspace_.add<double>(loss_.label_tiles());
    losses_ = workspace_.add<double>(loss_.loss_sums());
    logits_block_ = workspace_.add<T>(block_ * stride_);
    if (wanted.x) dx_parts_ = workspace_.add<T>(static_cast<std::int64_t>(dx_.parts_elements()));
  }

  std::size_t workspace_bytes() const override { return workspace_.bytes(); }

  std::size_t scratch_bytes() const override {
    std::size_t bytes = logits_.scratch_bytes();
    if (problem_.gradients.x) bytes = std::max(bytes, dx_.scratch_bytes());
    if (problem_.gradients.weight) bytes = std::max(bytes, dweight_.scratch_bytes());
    if (problem_.gradients.bias) bytes = std::max(bytes, kBiasColumns * sizeof(T));
    return bytes;
  }

  std::string description() const override {
    std::string text =
        cat(blocks_, " blocks of ", block_, " rows, tiles of ", logits_.description());
    if (problem_.gradients.x) text += "; " + dx_.description();
    if (problem_.gradients.weight) text += "; " + dweight_.description();
    return text;
  }

 private:
  std::int64_t rows_of(std::int64_t block) const {
    return std::min(block_, rows_ - block * block_);
  }
  bool total() const { return has_loss(problem_.parts) && loss_.reduced(); }
  std::int64_t sum_tiles(std::int64_t block) const {
    return problem_.gradients.x ? dx_.sum_tiles(rows_of(block)) : 0;
  }
  std::int64_t tiles_beside_logits(std::int64_t block) const {
    return block == 0 ? loss_.label_tiles() : sum_tiles(block - 1);
  }

  T* logits(const KernelRun& run) const { return logits_block_.in(run.workspace<std::byte>()); }

  BlockLossBuffers<T> loss_buffers(const KernelRun& run) const {
    BlockLossBuffers<T> buffers{.labels = run.input<std::int64_t>(2),
                                .label_totals = label_totals_.in(run.workspace<std::byte>()),
                                .losses = losses_.in(run.workspace<std::byte>())};
    int input = problem_.bias ? 4 : 3;
    const bool with_loss = has_loss(problem_.parts);
    const bool with_gradient = has_gradient(problem_.parts);
    if (!with_loss) buffers.known_other_terms = run.input<T>(input++);
    if (with_gradient) buffers.upstream = run.input<T>(input);
    if (with_loss) buffers.loss = run.output<T>(0);
    if (!with_gradient) buffers.other_terms = run.output<T>(1);
    return buffers;
  }
  int first_gradient() const { return has_loss(problem_.parts) ? 1 : 0; }

  void run_logits(std::int64_t block, std::int64_t tile, const KernelRun& run) const {
    const std::int64_t beside = tiles_beside_logits(block);
    if (tile < beside) {
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
    const auto place = logits_.run(tile - beside, operands, run.scratch<std::byte>());
    if (!problem_.bias) return;
    const T* bias = run.input<T>(3) + place.column;
    for (std::int64_t row = place.row; row < place.row + place.rows; ++row) {
      T* at = z + row * stride_ + place.column;
      kAdd(at, 1, bias, 1, at, place.columns);
    }
  }

  void run_rows(std::int64_t block, std::int64_t tile, const KernelRun& run) const {
    loss_.run(block, tile, rows_of(block), logits(run), stride_, loss_buffers(run));
  }

  BlockOperands<T> dx_operands(std::int64_t block, const KernelRun& run) const {
    return {.rows = rows_of(block),
            .depth = classes_,
            .a = logits(run),
            .b = run.input<T>(1),
            .c = run.output<T>(first_gradient()) + block * block_ * features_,
            .c_stride = features_,
            .parts = dx_parts_.in(run.workspace<std::byte>())};
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

  // To the gradient of the bias, one strip of columns of a block.
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

  void finish(std::int64_t block, std::int64_t tile, const KernelRun& run) const {
    if (tile < sum_tiles(block)) return dx_.sum_parts(tile, dx_operands(block, run));
    if (total()) loss_.add_losses(loss_buffers(run));
  }

  LinearCrossEntropyProblem problem_;
  std::int64_t rows_;
  std::int64_t features_;
  std::int64_t classes_;
  std::int64_t block_;  // rows of logits at a time
  std::int64_t blocks_;
  std::int64_t stride_;  // from one row of logits to the next
  BlockLoss<T> loss_;
  BlockProduct logits_;
  BlockProduct dx_;
  BlockProduct dweight_;
  BlockLayout workspace_;
  BlockPart<double> label_totals_;
  BlockPart<double> losses_;
  BlockPart<T> logits_block_;
  BlockPart<T> dx_parts_;
};

}  // namespace

std::unique_ptr<Kernel> make_linear_cross_entropy(const LinearCrossEntropyProblem& problem,
                                                  const Tuning* tuning) {
  return visit_floating(problem.x.dtype, [&](auto zero) -> std::unique_ptr<Kernel> {
    return std::make_unique<LinearCrossEntropyKernel<decltype(zero)>>(problem, tuning);
  });
}

}  // namespace gradmill
