#include <gradmill/ops/reduce/kernel.h>

#include <algorithm>
#include <string>
#include <type_traits>

#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/ops/tiles/divide_up.h>
#include <gradmill/ops/tiles/stages.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

// One pass over [outer, n, inner] in which each block of `chunk` rows of n becomes one row:
// [outer, splits, inner]. Further passes reduce the splits.
struct Pass {
  static constexpr std::int64_t kGrain = 32768;   // elements that a tile reads
  static constexpr std::int64_t kColumns = 1024;  // of inner, so that a running row stays in L1
  static constexpr std::int64_t kMaxRows = 1024;  // summed one after another
  static constexpr std::int64_t kRows = 512;

  Pass(std::int64_t outer_size, std::int64_t size, std::int64_t inner_size)
      : outer(outer_size),
        n(size),
        inner(inner_size),
        columns(std::min(inner, kColumns)),
        chunk(n) {
    if (n * columns > 2 * kGrain) chunk = kGrain / columns;
    if (inner > 1 && chunk > kMaxRows) chunk = kRows;
    splits = divide_up(n, chunk);
    column_blocks = divide_up(inner, columns);
    units = outer * splits * column_blocks;
    units_per_tile = std::max<std::int64_t>(1, kGrain / (chunk * columns));
  }
  std::int64_t tiles() const { return divide_up(units, units_per_tile); }
  std::int64_t results() const { return outer * splits * inner; }

  std::int64_t outer, n, inner, columns, chunk;
  std::int64_t splits = 0, column_blocks = 0, units = 0, units_per_tile = 0;
};

std::vector<Pass> make_passes(const Shape& shape, const std::vector<bool>& mask) {
  std::vector<Pass> passes;
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
      passes.emplace_back(outer, n, inner);
      n = passes.back().splits;
    }
    inner *= take(false);
  }
  if (passes.empty()) passes.emplace_back(1, 1, shape.elements());
  return passes;
}

// A stage per pass; the results of all but the last are in the workspace.
template <class T>
class ReduceKernel final : public StagedKernel<ReduceKernel<T>, std::size_t> {
 public:
  ReduceKernel(const ReduceFunction& function, const Shape& shape, const std::vector<bool>& mask)
      : name_(function.name), divides_(function.divides), passes_(make_passes(shape, mask)) {
    if constexpr (std::is_same_v<T, float>) {
      loops_ = function.f32;
    } else {
      loops_ = function.f64;
    }
    for (std::size_t k = 0; k < passes_.size(); ++k) {
      this->add_stage(passes_[k].tiles(), &ReduceKernel::reduce, k);
      if (k + 1 < passes_.size()) results_.push_back(workspace_.add<T>(passes_[k].results()));
    }
    count_ = static_cast<T>(shape.elements() / passes_.back().results());
  }

  std::size_t workspace_bytes() const override { return workspace_.bytes(); }
  std::string description() const override { return cat("reduce ", name_); }

 private:
  void reduce(std::size_t k, std::int64_t tile, const KernelRun& run) const {
    const Pass& pass = passes_[k];
    auto* workspace = run.workspace<std::byte>();
    const bool last = k + 1 == passes_.size();
    const T* from = k == 0 ? run.input<T>(0) : results_[k - 1].in(workspace);
    T* to = last ? run.output<T>(0) : results_[k].in(workspace);
    const std::int64_t end = std::min(pass.units, (tile + 1) * pass.units_per_tile);
    for (std::int64_t unit = tile * pass.units_per_tile; unit < end; ++unit) {
      const std::int64_t column = unit % pass.column_blocks * pass.columns;
      const std::int64_t result = unit / pass.column_blocks;
      const std::int64_t outer = result / pass.splits;
      const std::int64_t row = result % pass.splits * pass.chunk;
      const std::int64_t rows = std::min(pass.chunk, pass.n - row);
      const std::int64_t columns = std::min(pass.columns, pass.inner - column);
      const T* x = from + (outer * pass.n + row) * pass.inner + column;
      T* y = to + result * pass.inner + column;
      if (pass.inner == 1) {
        *y = loops_.row(x, rows);
      } else {
        loops_.columns(x, pass.inner, rows, columns, y);
      }
      if (last && divides_) kDiv(y, 1, &count_, 0, y, columns);
    }
  }

  std::string_view name_;
  ReduceLoops<T> loops_;
  bool divides_;
  std::vector<Pass> passes_;
  BlockLayout workspace_;
  std::vector<BlockPart<T>> results_;  // one per pass but the last
  T count_;
};

}  // namespace

std::unique_ptr<Kernel> make_reduce_kernel(const ReduceFunction& function, const Type& type,
                                           const std::vector<bool>& mask) {
  return visit_floating(type.dtype, [&](auto element) -> std::unique_ptr<Kernel> {
    return std::make_unique<ReduceKernel<decltype(element)>>(function, type.shape, mask);
  });
}

}  // namespace gradmill
