#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/reshape.h>
#include <gradmill/ops/tiles/divide_up.h>

#include <algorithm>

namespace gradmill {
namespace {

// Runs only where the plan cannot let the result share the input's bytes.
class CopyKernel final : public Kernel {
 public:
  CopyKernel(std::int64_t elements, std::size_t element_size)
      : tiles_{elements, kFlatGrain}, size_(static_cast<std::int64_t>(element_size)) {}

  std::int64_t tiles(int) const override { return tiles_.count(); }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::int64_t begin = tiles_.begin(tile) * size_;
    std::copy_n(run.input<std::byte>(0) + begin, tiles_.end(tile) * size_ - begin,
                run.output<std::byte>(0) + begin);
  }
  std::string description() const override { return "copy"; }

 private:
  FlatTiles tiles_;
  std::int64_t size_;
};

class Reshape final : public Op {
 public:
  explicit Reshape(std::vector<std::int64_t> sizes) : sizes_(std::move(sizes)) {}

  std::string_view name() const override { return "reshape"; }

  std::optional<std::string> attributes() const override { return cat("sizes=", text()); }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const std::int64_t elements = inputs[0].shape.elements();
    std::vector<std::int64_t> sizes = sizes_;
    const auto open = std::ranges::find(sizes, -1);
    if (open != sizes.end()) {
      check(std::count(open, sizes.end(), -1) == 1, "sizes ", text(), ": only one may be -1");
      *open = 1;
      const std::int64_t rest = Shape(sizes).elements();
      check(elements % rest == 0, "cannot reshape ", inputs[0].shape, " to ", text(), ": its ",
            elements, " elements are no multiple of ", rest);
      *open = elements / rest;
    }
    Shape shape(std::move(sizes));
    check(shape.elements() == elements, "cannot reshape ", inputs[0].shape, " to ", shape, ": ",
          elements, " elements are not ", shape.elements());
    return {{inputs[0].dtype, std::move(shape)}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    return {reshape(context.upstream[0], context.inputs[0].shape().sizes())};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Type& type = context.outputs[0];
    return std::make_unique<CopyKernel>(type.shape.elements(), size_of(type.dtype));
  }

  Cost cost(std::span<const Type>, std::span<const Type>) const override { return {}; }
  int aliases() const override { return 0; }
  bool in_place(int, int, std::span<const Type>) const override { return true; }

 private:
  std::string text() const {
    std::string text = "[";
    for (const std::int64_t size : sizes_) text += cat(text.size() > 1 ? ", " : "", size);
    return text + "]";
  }

  std::vector<std::int64_t> sizes_;
};

// [a, m, b, n, c] -> [a, n, b, m, c], in square blocks of the axes m and n so that neither the
// reads nor the writes miss the cache at every element.
template <class Bits>
class TransposeKernel final : public Kernel {
 public:
  TransposeKernel(const Shape& shape, int m_axis, int n_axis) {
    for (int k = 0; k < shape.rank(); ++k) {
      std::int64_t& size = k < m_axis    ? a_
                           : k == m_axis ? m_
                           : k < n_axis  ? b_
                           : k == n_axis ? n_
                                         : c_;
      size *= shape[k];
    }
    while (side_ > 1 && side_ * side_ * c_ > kFlatGrain) side_ /= 2;
    m_blocks_ = divide_up(m_, side_);
    n_blocks_ = divide_up(n_, side_);
    units_ = a_ * b_ * m_blocks_ * n_blocks_;
    const std::int64_t unit = std::min(m_, side_) * std::min(n_, side_) * c_;
    units_per_tile_ = std::max<std::int64_t>(1, kFlatGrain / unit);
  }

  std::int64_t tiles(int) const override { return divide_up(units_, units_per_tile_); }

  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const Bits* x = run.input<Bits>(0);
    Bits* y = run.output<Bits>(0);
    const std::int64_t end = std::min(units_, (tile + 1) * units_per_tile_);
    for (std::int64_t unit = tile * units_per_tile_; unit < end; ++unit) {
      const std::int64_t m = unit % m_blocks_ * side_;
      const std::int64_t n = unit / m_blocks_ % n_blocks_ * side_;
      const std::int64_t b = unit / m_blocks_ / n_blocks_ % b_;
      const std::int64_t a = unit / m_blocks_ / n_blocks_ / b_;
      block(x + (a * m_ * b_ + b) * n_ * c_, y + (a * n_ * b_ + b) * m_ * c_, m, n);
    }
  }

  std::string description() const override { return "transpose"; }

 private:
  void block(const Bits* x, Bits* y, std::int64_t m_begin, std::int64_t n_begin) const {
    const std::int64_t m_end = std::min(m_, m_begin + side_);
    const std::int64_t n_end = std::min(n_, n_begin + side_);
    if (c_ > 1) {
      for (std::int64_t n = n_begin; n < n_end; ++n) {
        for (std::int64_t m = m_begin; m < m_end; ++m) {
          std::copy_n(x + (m * b_ * n_ + n) * c_, c_, y + (n * b_ * m_ + m) * c_);
        }
      }
      return;
    }
    // Eight rows at a time: strides that are powers of two map more to the same few cache lines.
    constexpr std::int64_t kRows = 8;
    for (std::int64_t m0 = m_begin; m0 < m_end; m0 += kRows) {
      const std::int64_t m1 = std::min(m_end, m0 + kRows);
      for (std::int64_t n = n_begin; n < n_end; ++n) {
        for (std::int64_t m = m0; m < m1; ++m) y[n * b_ * m_ + m] = x[m * b_ * n_ + n];
      }
    }
  }

  std::int64_t a_ = 1, m_ = 1, b_ = 1, n_ = 1, c_ = 1;
  std::int64_t side_ = 64;
  std::int64_t m_blocks_ = 1, n_blocks_ = 1, units_ = 1, units_per_tile_ = 1;
};

class Transpose final : public Op {
 public:
  Transpose(int dim0, int dim1) : dim0_(dim0), dim1_(dim1) {}

  std::string_view name() const override { return "transpose"; }
  std::optional<std::string> attributes() const override { return cat("dims=", dim0_, ',', dim1_); }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Shape& shape = inputs[0].shape;
    const auto first = static_cast<std::size_t>(normalize_axis(dim0_, shape));
    const auto second = static_cast<std::size_t>(normalize_axis(dim1_, shape));
    std::vector<std::int64_t> sizes = shape.sizes();
    std::swap(sizes[first], sizes[second]);
    return {{inputs[0].dtype, Shape(sizes)}};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    return {transpose(context.upstream[0], dim0_, dim1_)};
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Type& type = context.inputs[0];
    const std::pair<int, int> axes =
        std::minmax({normalize_axis(dim0_, type.shape), normalize_axis(dim1_, type.shape)});
    if (axes.first == axes.second) {
      return std::make_unique<CopyKernel>(type.shape.elements(), size_of(type.dtype));
    }
    return visit_bits(type.dtype, [&](auto bits) -> std::unique_ptr<Kernel> {
      return std::make_unique<TransposeKernel<decltype(bits)>>(type.shape, axes.first, axes.second);
    });
  }

 private:
  int dim0_;
  int dim1_;
};

}  // namespace

Value reshape(Value x, std::vector<std::int64_t> sizes, std::string name) {
  return add_op(std::make_shared<const Reshape>(std::move(sizes)), {x}, std::move(name));
}

Value transpose(Value x, int dim0, int dim1, std::string name) {
  return add_op(std::make_shared<const Transpose>(dim0, dim1), {x}, std::move(name));
}

}  // namespace gradmill
