#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/broadcast.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/reduce.h>
#include <gradmill/ops/reduce/loops.h>
#include <gradmill/ops/reshape.h>

#include <algorithm>

namespace gradmill {
namespace {

enum class Kind : std::uint8_t { sum, mean, max };

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::sum: return "sum";
    case Kind::mean: return "mean";
    case Kind::max: return "max";
  }
  return "?";
}

// Whether each axis is reduced.
std::vector<bool> axis_mask(const std::vector<int>& axes, const Shape& shape) {
  std::vector<bool> mask(static_cast<std::size_t>(shape.rank()), axes.empty());
  for (const int axis : axes) {
    const auto k = static_cast<std::size_t>(normalize_axis(axis, shape));
    check(!mask[k], "axis ", axis, " of shape ", shape, " is named twice");
    mask[k] = true;
  }
  return mask;
}

// One pass over [outer, n, inner] in which each block of `chunk` rows of n becomes one row:
// [outer, splits, inner]. Further passes reduce the splits.
struct Stage {
  static constexpr std::int64_t kGrain = 32768;    // elements a tile reads
  static constexpr std::int64_t kColumns = 1024;   // of inner, so that a running row stays in L1
  static constexpr std::int64_t kMostRows = 1024;  // summed one after another
  static constexpr std::int64_t kRows = 512;

  Stage(std::int64_t outer_size, std::int64_t size, std::int64_t inner_size)
      : outer(outer_size),
        n(size),
        inner(inner_size),
        columns(std::min(inner, kColumns)),
        chunk(n) {
    if (n * columns > 2 * kGrain) chunk = kGrain / columns;
    if (inner > 1 && chunk > kMostRows) chunk = kRows;
    splits = (n + chunk - 1) / chunk;
    column_blocks = (inner + columns - 1) / columns;
    units = outer * splits * column_blocks;
    units_per_tile = std::max<std::int64_t>(1, kGrain / (chunk * columns));
  }
  std::int64_t tiles() const { return (units + units_per_tile - 1) / units_per_tile; }
  std::int64_t results() const { return outer * splits * inner; }

  std::int64_t outer, n, inner, columns, chunk;
  std::int64_t splits = 0, column_blocks = 0, units = 0, units_per_tile = 0;
  std::int64_t offset = 0;  // of its results in the workspace, in elements; the last has none
};

std::vector<Stage> make_stages(const Shape& shape, const std::vector<bool>& mask) {
  std::vector<Stage> stages;
  std::int64_t inner = 1;
  int k = shape.rank();
  const auto take = [&](bool reduced) {
    std::int64_t size = 1;
    for (; k > 0 && (shape[k - 1] == 1 || mask[static_cast<std::size_t>(k - 1)] == reduced); --k) {
      size *= shape[k - 1];
    }
    return size;
  };
  // From the last axis to the first: what is behind a group of reduced axes is reduced already.
  while (k > 0) {
    std::int64_t n = take(true);
    std::int64_t outer = 1;
    for (int before = 0; before < k; ++before) outer *= shape[before];
    while (n > 1) {
      stages.emplace_back(outer, n, inner);
      n = stages.back().splits;
    }
    inner *= take(false);
  }
  if (stages.empty()) stages.emplace_back(1, 1, shape.elements());
  std::int64_t offset = 0;
  for (Stage& stage : stages) {
    stage.offset = offset;
    offset += (stage.results() + 15) / 16 * 16;
  }
  return stages;
}

template <class T>
class ReduceKernel final : public Kernel {
 public:
  ReduceKernel(Kind kind, std::vector<Stage> stages, std::int64_t count)
      : kind_(kind), stages_(std::move(stages)), count_(static_cast<T>(count)) {}

  int phases() const override { return static_cast<int>(stages_.size()); }
  std::int64_t tiles(int phase) const override { return at(phase).tiles(); }
  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(stages_.back().offset) * sizeof(T);
  }
  std::string description() const override { return cat("reduce ", to_string(kind_)); }

  void run(int phase, std::int64_t tile, const KernelRun& run) const override {
    const Stage& stage = at(phase);
    const bool last = phase + 1 == phases();
    const T* from = phase == 0 ? run.input<T>(0) : run.workspace<T>() + at(phase - 1).offset;
    T* to = last ? run.output<T>(0) : run.workspace<T>() + stage.offset;
    const Reduction reduction = kind_ == Kind::max ? Reduction::max : Reduction::sum;
    const std::int64_t end = std::min(stage.units, (tile + 1) * stage.units_per_tile);
    for (std::int64_t unit = tile * stage.units_per_tile; unit < end; ++unit) {
      const std::int64_t column = unit % stage.column_blocks * stage.columns;
      const std::int64_t result = unit / stage.column_blocks;
      const std::int64_t outer = result / stage.splits;
      const std::int64_t row = result % stage.splits * stage.chunk;
      const std::int64_t rows = std::min(stage.chunk, stage.n - row);
      const std::int64_t columns = std::min(stage.columns, stage.inner - column);
      const T* x = from + (outer * stage.n + row) * stage.inner + column;
      T* y = to + result * stage.inner + column;
      if (stage.inner == 1) {
        *y = reduce_row(reduction, x, rows);
      } else {
        reduce_columns(reduction, x, stage.inner, rows, columns, y);
      }
      if (last && kind_ == Kind::mean) {
        apply_binary(Binary::div, y, 1, &count_, 0, y, columns);
      }
    }
  }

 private:
  const Stage& at(int phase) const { return stages_[static_cast<std::size_t>(phase)]; }

  Kind kind_;
  std::vector<Stage> stages_;
  T count_;
};

class Equal final : public BinaryOp {
 public:
  Equal() : BinaryOp(Binary::equal) {}
  std::string_view name() const override { return "equal"; }
  bool differentiable(int) const override { return false; }
};

class Reduce final : public Op {
 public:
  Reduce(Kind kind, std::vector<int> axes, bool keepdim)
      : kind_(kind), axes_(std::move(axes)), keepdim_(keepdim) {}

  std::string_view name() const override { return to_string(kind_); }

  std::optional<std::string> attributes() const override {
    std::string text = "axes=";
    for (const int axis : axes_) text += cat(axis, ',');
    return text + cat(" keepdim=", keepdim_);
  }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check_floating(inputs[0]);
    const Shape& shape = inputs[0].shape;
    const std::vector<bool> mask = axis_mask(axes_, shape);
    std::vector<std::int64_t> sizes;
    for (int k = 0; k < shape.rank(); ++k) {
      if (!mask[static_cast<std::size_t>(k)]) {
        sizes.push_back(shape[k]);
      } else if (keepdim_) {
        sizes.push_back(1);
      }
    }
    return {{inputs[0].dtype, Shape(sizes)}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value x = context.inputs[0];
    const std::vector<std::int64_t> kept = kept_sizes(x.shape());
    const auto keep = [&](Value value) {
      return value.shape().sizes() == kept ? value : reshape(value, kept);
    };
    Value dy = keep(context.upstream[0]);
    const double count =
        static_cast<double>(x.shape().elements()) / static_cast<double>(dy.shape().elements());
    if (kind_ == Kind::mean) dy = dy / count;
    if (kind_ != Kind::max) return {broadcast_to(dy, x.shape())};
    const Value ties = add_op(std::make_shared<const Equal>(), {x, keep(context.outputs[0])}, {});
    return {ties * (dy / sum(ties, axes_, true))};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Type& type = context.inputs[0];
    std::vector<Stage> stages = make_stages(type.shape, axis_mask(axes_, type.shape));
    const std::int64_t count = type.shape.elements() / context.outputs[0].shape.elements();
    if (type.dtype == DType::f32) {
      return std::make_unique<ReduceKernel<float>>(kind_, std::move(stages), count);
    }
    return std::make_unique<ReduceKernel<double>>(kind_, std::move(stages), count);
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = static_cast<double>(inputs[0].shape.elements());
    return cost;
  }

 private:
  std::vector<std::int64_t> kept_sizes(const Shape& shape) const {
    std::vector<std::int64_t> sizes = shape.sizes();
    const std::vector<bool> mask = axis_mask(axes_, shape);
    for (std::size_t k = 0; k < sizes.size(); ++k) {
      if (mask[k]) sizes[k] = 1;
    }
    return sizes;
  }

  Kind kind_;
  std::vector<int> axes_;
  bool keepdim_;
};

Value reduce(Kind kind, Value x, std::vector<int> axes, bool keepdim, std::string name) {
  return add_op(std::make_shared<const Reduce>(kind, std::move(axes), keepdim), {x},
                std::move(name));
}

}  // namespace

Value sum(Value x, std::vector<int> axes, bool keepdim, std::string name) {
  return reduce(Kind::sum, x, std::move(axes), keepdim, std::move(name));
}

Value mean(Value x, std::vector<int> axes, bool keepdim, std::string name) {
  return reduce(Kind::mean, x, std::move(axes), keepdim, std::move(name));
}

Value max(Value x, std::vector<int> axes, bool keepdim, std::string name) {
  return reduce(Kind::max, x, std::move(axes), keepdim, std::move(name));
}

}  // namespace gradmill
