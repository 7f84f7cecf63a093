#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/slice.h>

#include <algorithm>

namespace gradmill {
namespace {

// As the caller gave it.
struct Range {
  std::int64_t start;
  std::int64_t end;
  std::int64_t step;
};

// What it means on an axis.
struct Picked {
  std::int64_t start;
  std::int64_t count;
};

Picked pick(const Range& range, int axis, const Shape& shape) {
  const std::int64_t n = shape[axis];
  const auto clamped = [n](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? i + n : i, 0, n);
  };
  check(range.step >= 1, "step must be at least 1, got ", range.step);
  const std::int64_t start = clamped(range.start);
  const std::int64_t end = clamped(range.end);
  check(start < end, "[", range.start, ", ", range.end, ") is empty on axis ", axis, " of ", shape,
        ", and no shape has a size of 0");
  return {start, (end - start - 1) / range.step + 1};
}

Shape resized(const Shape& shape, int axis, std::int64_t size) {
  std::vector<std::int64_t> sizes = shape.sizes();
  sizes[static_cast<std::size_t>(axis)] = size;
  return Shape(sizes);
}

// The slice is made of runs that are contiguous on both sides. In the slice they follow each other;
// in the whole, `per_row` runs, `stride` apart, lie behind the `first` elements of each row.
struct Runs {
  Runs(const Shape& whole, int axis, const Range& range) {
    const Picked picked = pick(range, axis, whole);
    std::int64_t inner = 1;
    for (int k = axis + 1; k < whole.rank(); ++k) inner *= whole[k];
    row = whole[axis] * inner;
    first = picked.start * inner;
    if (range.step == 1 || picked.count == 1) {
      length = picked.count * inner;
    } else {
      length = inner;
      per_row = picked.count;
      stride = range.step * inner;
    }
  }

  std::int64_t row;
  std::int64_t first;
  std::int64_t length;
  std::int64_t per_row = 1;
  std::int64_t stride = 1;
};

// Calling for a single element costs more than the element.
template <class Bits>
void copy(const Bits* from, std::int64_t n, Bits* to) {
  if (n == 1) {
    *to = *from;
  } else {
    std::copy_n(from, n, to);
  }
}

// Bits is an unsigned integer of the elements' size: the bytes are moved, not understood.
template <class Bits>
class SliceKernel final : public Kernel {
 public:
  SliceKernel(const Runs& runs, std::int64_t elements)
      : runs_(runs), tiles_{elements, kFlatGrain} {}

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const Bits* x = run.input<Bits>(0);
    Bits* y = run.output<Bits>(0);
    const std::int64_t end = tiles_.end(tile);
    std::int64_t i = tiles_.begin(tile);
    std::int64_t within = i % runs_.length;
    std::int64_t row = i / runs_.length / runs_.per_row;
    std::int64_t k = i / runs_.length % runs_.per_row;
    while (i < end) {
      const std::int64_t n = std::min(runs_.length - within, end - i);
      copy(x + row * runs_.row + runs_.first + k * runs_.stride + within, n, y + i);
      i += n;
      within = 0;
      if (++k < runs_.per_row) continue;
      k = 0;
      ++row;
    }
  }
  std::string description() const override { return cat("runs of ", runs_.length); }

 private:
  Runs runs_;
  FlatTiles tiles_;
};

// The slice put back, with zeros around it.
template <class Bits>
class PlaceKernel final : public Kernel {
 public:
  PlaceKernel(const Runs& runs, std::int64_t elements)
      : runs_(runs), tiles_{elements, kFlatGrain} {}

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const Bits* x = run.input<Bits>(0);
    Bits* y = run.output<Bits>(0);
    const std::int64_t end = tiles_.end(tile);
    std::int64_t i = tiles_.begin(tile);
    std::int64_t row = i / runs_.row;
    std::int64_t k = first_run_behind(i % runs_.row);
    while (i < end) {
      if (k >= runs_.per_row) {
        k = 0;
        ++row;
      }
      const std::int64_t start = row * runs_.row + runs_.first + k * runs_.stride;
      const std::int64_t zeros = std::min(start, end) - i;
      if (zeros > 0) {
        std::fill_n(y + i, zeros, Bits(0));
        i += zeros;
      }
      const std::int64_t n = std::min(start + runs_.length, end) - i;
      if (n > 0) {
        copy(x + (row * runs_.per_row + k) * runs_.length + (i - start), n, y + i);
        i += n;
      }
      ++k;
    }
  }
  std::string description() const override { return cat("runs of ", runs_.length); }

 private:
  // The first run of a row that ends behind its element `within`.
  std::int64_t first_run_behind(std::int64_t within) const {
    const std::int64_t behind = within - runs_.first - runs_.length;
    return behind < 0 ? 0 : behind / runs_.stride + 1;
  }

  Runs runs_;
  FlatTiles tiles_;
};

template <template <class> class K>
std::unique_ptr<Kernel> make(const Type& output, const Runs& runs) {
  const std::int64_t elements = output.shape.elements();
  return visit_bits(output.dtype, [&](auto bits) -> std::unique_ptr<Kernel> {
    return std::make_unique<K<decltype(bits)>>(runs, elements);
  });
}

std::string text(int axis, const Range& range) {
  return cat("axis=", axis, " start=", range.start, " end=", range.end, " step=", range.step);
}

Value place(Value dy, int axis, const Range& range, std::int64_t size);

class Slice final : public Op {
 public:
  Slice(int axis, Range range) : axis_(axis), range_(range) {}

  std::string_view name() const override { return "slice"; }
  std::optional<std::string> attributes() const override { return text(axis_, range_); }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Shape& shape = inputs[0].shape;
    const int axis = normalize_axis(axis_, shape);
    return {{inputs[0].dtype, resized(shape, axis, pick(range_, axis, shape).count)}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const Shape& shape = context.inputs[0].shape();
    const int axis = normalize_axis(axis_, shape);
    return {place(context.upstream[0], axis, range_, shape[axis])};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Shape& whole = context.inputs[0].shape;
    return make<SliceKernel>(context.outputs[0], Runs(whole, normalize_axis(axis_, whole), range_));
  }

  Cost cost(std::span<const Type>, std::span<const Type> outputs) const override {
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(outputs[0].bytes())};
  }

 private:
  int axis_;
  Range range_;
};

// The transpose of a slice of an axis of `size` elements.
class SliceBackward final : public Op {
 public:
  SliceBackward(int axis, Range range, std::int64_t size)
      : axis_(axis), range_(range), size_(size) {}

  std::string_view name() const override { return "slice_backward"; }
  std::optional<std::string> attributes() const override {
    return cat(text(axis_, range_), " size=", size_);
  }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    Shape whole = resized(inputs[0].shape, axis_, size_);
    const std::int64_t count = pick(range_, axis_, whole).count;
    check(inputs[0].shape[axis_] == count, "a slice of ", whole, " has ", count,
          " elements on axis ", axis_, ", got ", inputs[0]);
    return {{inputs[0].dtype, std::move(whole)}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    return {slice(context.upstream[0], axis_, range_.start, range_.end, range_.step)};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make<PlaceKernel>(context.outputs[0], Runs(context.outputs[0].shape, axis_, range_));
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    return {.flops = 0, .bytes = static_cast<double>(inputs[0].bytes() + outputs[0].bytes())};
  }

 private:
  int axis_;
  Range range_;
  std::int64_t size_;
};

Value place(Value dy, int axis, const Range& range, std::int64_t size) {
  return add_op(std::make_shared<const SliceBackward>(axis, range, size), {dy}, {});
}

}  // namespace

Value slice(Value x, int axis, std::int64_t start, std::int64_t end, std::int64_t step,
            std::string name) {
  return add_op(std::make_shared<const Slice>(axis, Range{start, end, step}), {x}, std::move(name));
}

}  // namespace gradmill
