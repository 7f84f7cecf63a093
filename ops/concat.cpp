#include <gradmill/ops/concat.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/slice.h>
#include <gradmill/runtime/support/index.h>

#include <algorithm>
#include <optional>

namespace gradmill {
namespace {

// Rows of the whole, in each of which the parts' rows follow each other. Copies from the whole to
// the parts or back, in tiles of the whole. Bits is an unsigned integer of the elements' size: the
// bytes are moved, not understood.
template <class Bits>
class PartsKernel final : public Kernel {
 public:
  PartsKernel(bool split, const Shape& whole, int axis, std::span<const Type> parts)
      : split_(split), tiles_{whole.elements(), kFlatGrain} {
    std::int64_t inner = 1;
    for (int k = axis + 1; k < whole.rank(); ++k) inner *= whole[k];
    for (const Type& part : parts) starts_.push_back(starts_.back() + part.shape[axis] * inner);
  }

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::int64_t end = tiles_.end(tile);
    std::int64_t i = tiles_.begin(tile);
    std::int64_t row = i / starts_.back();
    std::int64_t column = i % starts_.back();
    auto part =
        static_cast<std::size_t>(std::ranges::upper_bound(starts_, column) - starts_.begin() - 1);
    while (i < end) {
      const std::int64_t begin = starts_[part];
      const std::int64_t length = starts_[part + 1] - begin;
      const std::int64_t n = std::min(begin + length - column, end - i);
      copy(run, static_cast<int>(part), row * length + column - begin, i, n);
      i += n;
      column += n;
      if (column < begin + length) break;
      if (++part + 1 < starts_.size()) continue;
      part = 0;
      column = 0;
      ++row;
    }
  }
  std::string description() const override { return cat("rows of ", starts_.size() - 1, " parts"); }

 private:
  void copy(const KernelRun& run, int part, std::int64_t in_part, std::int64_t in_whole,
            std::int64_t n) const {
    const Bits* from = split_ ? run.input<Bits>(0) + in_whole : run.input<Bits>(part) + in_part;
    Bits* to = split_ ? run.output<Bits>(part) + in_part : run.output<Bits>(0) + in_whole;
    std::copy_n(from, n, to);
  }

  bool split_;
  FlatTiles tiles_;
  std::vector<std::int64_t> starts_ = {0};  // of the parts in a row; its length at the end
};

std::unique_ptr<Kernel> make_kernel(bool split, const Type& whole, int axis,
                                    std::span<const Type> parts) {
  axis = normalize_axis(axis, whole.shape);
  return visit_bits(whole.dtype, [&](auto bits) -> std::unique_ptr<Kernel> {
    return std::make_unique<PartsKernel<decltype(bits)>>(split, whole.shape, axis, parts);
  });
}

class Concat final : public Op {
 public:
  explicit Concat(int axis) : axis_(axis) {}

  std::string_view name() const override { return "concat"; }
  std::optional<std::string> attributes() const override { return cat("axis=", axis_); }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Type& first = inputs[0];
    const int axis = normalize_axis(axis_, first.shape);
    std::vector<std::int64_t> sizes = first.shape.sizes();
    std::int64_t& size = sizes[static_cast<std::size_t>(axis)];
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      const Type& next = inputs[i];
      bool fits = next.dtype == first.dtype && next.shape.rank() == first.shape.rank();
      for (int k = 0; fits && k < first.shape.rank(); ++k) {
        fits = k == axis || next.shape[k] == first.shape[k];
      }
      check(fits, "input ", i, ", ", next, ", and input 0, ", first,
            ", may differ in the size of axis ", axis, " only");
      size += next.shape[axis];
    }
    return {{first.dtype, Shape(sizes)}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    std::vector<Value> gradients;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < context.inputs.size(); ++i) {
      const Shape& shape = context.inputs[i].shape();
      const std::int64_t end = begin + shape[normalize_axis(axis_, shape)];
      gradients.push_back(context.needed[i] ? slice(context.upstream[0], axis_, begin, end)
                                            : Value());
      begin = end;
    }
    return gradients;
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make_kernel(false, context.outputs[0], axis_, context.inputs);
  }

  Cost cost(std::span<const Type>, std::span<const Type> outputs) const override {
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(outputs[0].bytes())};
  }

 private:
  int axis_;
};

class Split final : public Op {
 public:
  // Parts of `split_size`, or of `sizes` without one.
  Split(std::optional<std::int64_t> split_size, std::vector<std::int64_t> sizes, int axis)
      : split_size_(split_size), sizes_(std::move(sizes)), axis_(axis) {}

  std::string_view name() const override { return "split"; }
  std::optional<std::string> attributes() const override {
    return cat("axis=", axis_,
               " sizes=", split_size_ ? std::to_string(*split_size_) : index_text(sizes_));
  }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Shape& whole = inputs[0].shape;
    const int axis = normalize_axis(axis_, whole);
    std::vector<Type> parts;
    for (const std::int64_t size : part_sizes(whole, axis)) {
      std::vector<std::int64_t> sizes = whole.sizes();
      sizes[static_cast<std::size_t>(axis)] = size;
      parts.push_back({inputs[0].dtype, Shape(sizes)});
    }
    return parts;
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    std::vector<Value> parts(context.upstream.begin(), context.upstream.end());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Value& output = context.outputs[i];
      if (!parts[i]) parts[i] = output.graph().constant(0.0, output.shape(), output.dtype());
    }
    return {concat(parts, axis_)};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make_kernel(true, context.inputs[0], axis_, context.outputs);
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type>) const override {
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(inputs[0].bytes())};
  }

 private:
  std::vector<std::int64_t> part_sizes(const Shape& whole, int axis) const {
    std::vector<std::int64_t> sizes = sizes_;
    std::int64_t left = whole[axis];
    if (split_size_) {
      check(*split_size_ >= 1, "split_size must be at least 1, got ", *split_size_);
      for (; left > 0; left -= sizes.back()) sizes.push_back(std::min(left, *split_size_));
      return sizes;
    }
    bool fits = true;
    for (const std::int64_t size : sizes) {
      fits = fits && size >= 1 && size <= left;
      left -= fits ? size : 0;
    }
    check(fits && left == 0, "sizes ", index_text(sizes), " must be at least 1 and sum to ",
          whole[axis], ", the size of axis ", axis, " of ", whole);
    return sizes;
  }

  std::optional<std::int64_t> split_size_;
  std::vector<std::int64_t> sizes_;
  int axis_;
};

}  // namespace

Value concat(const std::vector<Value>& inputs, int axis, std::string name) {
  check(!inputs.empty(), "concat '", name, "': there are no inputs");
  return inputs[0].graph().add(std::make_shared<const Concat>(axis), inputs, std::move(name))[0];
}

std::vector<Value> split(Value x, std::int64_t split_size, int axis, std::string name) {
  const auto op = std::make_shared<const Split>(split_size, std::vector<std::int64_t>(), axis);
  return x.graph().add(op, {x}, std::move(name));
}

std::vector<Value> split(Value x, std::vector<std::int64_t> sizes, int axis, std::string name) {
  const auto op = std::make_shared<const Split>(std::nullopt, std::move(sizes), axis);
  return x.graph().add(op, {x}, std::move(name));
}

}  // namespace gradmill
