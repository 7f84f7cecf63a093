#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/embedding.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/ops/tiles/stages.h>
#include <gradmill/runtime/support/index.h>

#include <algorithm>

namespace gradmill {
namespace {

constexpr std::int64_t kNone = -1;  // no padding row

template <class T>
class GatherKernel final : public Kernel {
 public:
  GatherKernel(const PrepareContext& context, std::int64_t zero_row)
      : indices_(context.inputs[0].shape),
        num_(context.inputs[1].shape[0]),
        dim_(context.inputs[1].shape[1]),
        zero_row_(zero_row),
        tiles_{indices_.elements(), std::max<std::int64_t>(1, kFlatGrain / dim_)} {}

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const auto* indices = run.input<std::int64_t>(0);
    for (std::int64_t i = tiles_.begin(tile); i < tiles_.end(tile); ++i) {
      const std::int64_t row = indices[i];
      if (row < 0 || row >= num_) refuse(i, row);
      T* y = run.output<T>(0) + i * dim_;
      if (row == zero_row_) {
        std::fill_n(y, dim_, T(0));
      } else {
        std::copy_n(run.input<T>(1) + row * dim_, dim_, y);
      }
    }
  }
  std::string description() const override { return cat("rows of ", dim_); }

 private:
  [[noreturn]] void refuse(std::int64_t place, std::int64_t row) const {
    fail("index ", row, " at ", index_text(unravel_index(place, indices_)), " is out of range [0, ",
         num_, ")");
  }

  Shape indices_;
  std::int64_t num_;
  std::int64_t dim_;
  std::int64_t zero_row_;
  FlatTiles tiles_;
};

// Which part of the table a tile owns: 2^shift rows, and of wide rows that many upstream rows are
// added to, some columns. It then adds alone, in the order of the indices.
struct ScatterGrid {
  static constexpr std::int64_t kColumns = 64;

  ScatterGrid(std::int64_t count, std::int64_t num, std::int64_t dim) : columns(dim) {
    // A row is zeroed, and receives count / num others on average.
    const std::int64_t row = dim + (count * dim + num - 1) / num;
    while ((std::int64_t{1} << shift) < num && (row << (shift + 1)) <= kFlatGrain) ++shift;
    if (row > kFlatGrain) {
      columns = (dim * kFlatGrain / row + kColumns - 1) / kColumns * kColumns;
      columns = std::clamp(columns, std::min(kColumns, dim), dim);
    }
    blocks = ((num - 1) >> shift) + 1;
    strips = (dim - 1) / columns + 1;
  }

  int shift = 0;
  std::int64_t columns;
  std::int64_t blocks;  // of rows
  std::int64_t strips;  // of columns
};

// First the places of the indices are sorted by block, stably; then each tile adds up its own.
template <class T>
class ScatterKernel final : public StagedKernel<ScatterKernel<T>> {
 public:
  ScatterKernel(std::int64_t count, const Shape& table, std::int64_t padding)
      : count_(count),
        num_(table[0]),
        dim_(table[1]),
        padding_(padding),
        grid_(count, num_, dim_),
        starts_(workspace_.add<std::int64_t>(grid_.blocks + 2)),
        places_(workspace_.add<std::int64_t>(count)) {
    this->add_stage(1, &ScatterKernel::sort);
    this->add_stage(grid_.blocks * grid_.strips, &ScatterKernel::add_rows);
  }

  std::size_t workspace_bytes() const override { return workspace_.bytes(); }
  std::string description() const override {
    return cat("sorted rows, ", grid_.blocks, 'x', grid_.strips, " tiles of ",
               std::int64_t{1} << grid_.shift, 'x', grid_.columns);
  }

 private:
  bool counts(std::int64_t row) const { return row >= 0 && row < num_ && row != padding_; }

  void sort(std::int64_t /*tile*/, const KernelRun& run) const {
    const auto* indices = run.input<std::int64_t>(0);
    std::int64_t* starts = starts_.in(run.workspace<std::byte>());
    std::int64_t* places = places_.in(run.workspace<std::byte>());
    std::fill_n(starts, grid_.blocks + 2, 0);
    // One further than where they belong: placing moves each start to its end, the next's start.
    for (std::int64_t i = 0; i < count_; ++i) {
      if (counts(indices[i])) ++starts[(indices[i] >> grid_.shift) + 2];
    }
    for (std::int64_t b = 2; b < grid_.blocks + 2; ++b) starts[b] += starts[b - 1];
    for (std::int64_t i = 0; i < count_; ++i) {
      if (counts(indices[i])) places[starts[(indices[i] >> grid_.shift) + 1]++] = i;
    }
  }

  void add_rows(std::int64_t tile, const KernelRun& run) const {
    const std::int64_t block = tile / grid_.strips;
    const std::int64_t column = tile % grid_.strips * grid_.columns;
    const std::int64_t columns = std::min(grid_.columns, dim_ - column);
    const std::int64_t first = block << grid_.shift;
    const std::int64_t last = std::min(num_, (block + 1) << grid_.shift);
    T* dw = run.output<T>(0) + column;
    if (columns == dim_) {
      std::fill_n(dw + first * dim_, (last - first) * dim_, T(0));
    } else {
      for (std::int64_t row = first; row < last; ++row) std::fill_n(dw + row * dim_, columns, T(0));
    }
    const auto* indices = run.input<std::int64_t>(0);
    const T* dy = run.input<T>(1) + column;
    const std::int64_t* starts = starts_.in(run.workspace<std::byte>());
    const std::int64_t* places = places_.in(run.workspace<std::byte>());
    for (std::int64_t k = starts[block]; k < starts[block + 1]; ++k) {
      T* row = dw + indices[places[k]] * dim_;
      kAdd(row, 1, dy + places[k] * dim_, 1, row, columns);
    }
  }

  std::int64_t count_;
  std::int64_t num_;
  std::int64_t dim_;
  std::int64_t padding_;
  ScatterGrid grid_;
  BlockLayout workspace_;
  BlockPart<std::int64_t> starts_;  // of each block's places
  BlockPart<std::int64_t> places_;
};

Value look_up(Value indices, Value weight, std::int64_t zero_row);

// Inputs: indices, dy. Linear in dy; what of dy the padding row swallowed has no part in it.
class EmbeddingBackward final : public Op {
 public:
  EmbeddingBackward(std::int64_t num, std::int64_t padding) : num_(num), padding_(padding) {}

  std::string_view name() const override { return "embedding_backward"; }
  std::optional<std::string> attributes() const override {
    return cat("num=", num_, " padding=", padding_);
  }
  bool differentiable(int input) const override { return input == 1; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Shape& dy = inputs[1].shape;
    check_floating(inputs[1]);
    check(dy.rank() >= 1, "the gradient needs an axis behind those of indices ", inputs[0],
          ", got ", inputs[1]);
    const std::int64_t dim = dy[dy.rank() - 1];
    check(inputs[0].dtype == DType::i64 &&
              std::equal(dy.begin(), dy.end() - 1, inputs[0].shape.begin(), inputs[0].shape.end()),
          "the gradient ", inputs[1], " does not fit indices ", inputs[0]);
    return {{inputs[1].dtype, Shape({num_, dim})}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    return {Value(), look_up(context.inputs[0], context.upstream[0], padding_)};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const std::int64_t count = context.inputs[0].shape.elements();
    const Type& type = context.outputs[0];
    return visit_floating(type.dtype, [&](auto element) -> std::unique_ptr<Kernel> {
      return std::make_unique<ScatterKernel<decltype(element)>>(count, type.shape, padding_);
    });
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = static_cast<double>(inputs[1].shape.elements());
    return cost;
  }

 private:
  std::int64_t num_;
  std::int64_t padding_;
};

class Embedding final : public Op {
 public:
  // Row `zero_row` reads as zeros, whatever it holds: for the gradient of the gradient.
  Embedding(EmbeddingOptions options, std::int64_t zero_row)
      : options_(options), zero_row_(zero_row) {}

  std::string_view name() const override { return "embedding"; }
  std::optional<std::string> attributes() const override {
    return cat(
        "padding_idx=", options_.padding_idx ? std::to_string(*options_.padding_idx) : "none",
        " zero_row=", zero_row_);
  }
  bool differentiable(int input) const override { return input == 1; }
  bool fallible() const override { return true; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Type& indices = inputs[0];
    const Type& weight = inputs[1];
    check(indices.dtype == DType::i64, "indices must be i64, got ", indices, " for weight ",
          weight);
    check(is_floating(weight.dtype) && weight.shape.rank() == 2,
          "weight must be f32 or f64 of shape [num, dim], got ", weight, " for indices ", indices);
    padding(weight.shape);
    std::vector<std::int64_t> sizes = indices.shape.sizes();
    sizes.push_back(weight.shape[1]);
    return {{weight.dtype, Shape(sizes)}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const Shape& weight = context.inputs[1].shape();
    const auto backward = std::make_shared<const EmbeddingBackward>(weight[0], padding(weight));
    return {Value(), add_op(backward, {context.inputs[0], context.upstream[0]}, {})};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return visit_floating(context.outputs[0].dtype, [&](auto element) -> std::unique_ptr<Kernel> {
      return std::make_unique<GatherKernel<decltype(element)>>(context, zero_row_);
    });
  }

  // Of the table, the rows that are looked up.
  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    return {.flops = 0, .bytes = static_cast<double>(inputs[0].bytes() + 2 * outputs[0].bytes())};
  }

 private:
  // The row without a gradient: the padding row, and the one that is not even read.
  std::int64_t padding(const Shape& weight) const {
    if (!options_.padding_idx) return zero_row_;
    const std::int64_t row = *options_.padding_idx;
    check(row >= -weight[0] && row < weight[0], "padding_idx ", row, " is out of range for weight ",
          weight, ": it must be in [", -weight[0], ", ", weight[0], ")");
    return row < 0 ? row + weight[0] : row;
  }

  EmbeddingOptions options_;
  std::int64_t zero_row_;
};

Value look_up(Value indices, Value weight, std::int64_t zero_row) {
  const auto op = std::make_shared<const Embedding>(EmbeddingOptions{}, zero_row);
  return add_op(op, {indices, weight}, {});
}

}  // namespace

Value embedding(Value indices, Value weight, const EmbeddingOptions& options, std::string name) {
  return add_op(std::make_shared<const Embedding>(options, kNone), {indices, weight},
                std::move(name));
}

}  // namespace gradmill
