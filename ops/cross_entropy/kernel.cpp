#include <gradmill/ops/cross_entropy/kernel.h>

#include <algorithm>
#include <bit>
#include <span>
#include <string_view>
#include <utility>

#include <gradmill/ops/cross_entropy/buffers.h>
#include <gradmill/ops/cross_entropy/column_loops.h>
#include <gradmill/ops/cross_entropy/label_tiles.h>
#include <gradmill/ops/cross_entropy/row_loops.h>
#include <gradmill/ops/cross_entropy/short_row_loops.h>
#include <gradmill/ops/cross_entropy/streamed_row_loops.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/ops/tiles/middle_axis.h>
#include <gradmill/ops/tiles/stages.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

using Parts = CrossEntropyParts;

// Which loops go through a node's lines.
enum class Loops : std::uint8_t { rows, streamed_rows, short_rows, columns };

// Of logits and gradient: more than the last cache, or its share of it, will hold for who reads the
// gradient next.
constexpr std::size_t kStreamedBytes = std::size_t{32} << 20U;

Loops loops_for(const CrossEntropyProblem& problem, const MiddleAxis& axis) {
  if (axis.inner > 1) return Loops::columns;
  if (axis.n <= kShortRow) return Loops::short_rows;
  const bool both = has_loss(problem.parts) && has_gradient(problem.parts);
  return both && 2 * problem.logits.bytes() >= kStreamedBytes ? Loops::streamed_rows : Loops::rows;
}

std::string_view name_of(Loops loops) {
  switch (loops) {
    case Loops::rows:
    case Loops::streamed_rows: return "by rows";
    case Loops::short_rows: return "by columns of many rows";
    case Loops::columns: return "by columns";
  }
  fail("no loops of cross-entropy have number ", static_cast<int>(loops));
}

// Numbers that a tile needs to itself.
template <class T>
std::size_t scratch_numbers(Loops loops, const MiddleAxis& axis) {
  switch (loops) {
    case Loops::rows: return 0;
    case Loops::streamed_rows: return static_cast<std::size_t>(axis.n);
    case Loops::short_rows: return short_row_scratch<T>(axis.n);
    case Loops::columns: return ColumnLines<T>::kRows * static_cast<std::size_t>(axis.columns);
  }
  fail("no loops of cross-entropy have number ", static_cast<int>(loops));
}

// Labels are checked, then the lines of each tile pass through the loops, then the tiles' losses
// are added up.
template <class T>
class CrossEntropyKernel final : public StagedKernel<CrossEntropyKernel<T>> {
 public:
  explicit CrossEntropyKernel(CrossEntropyProblem problem)
      : problem_(std::move(problem)),
        axis_(problem_.logits.shape, 1),
        labels_(problem_.lines, axis_.n, problem_.settings.ignore_index),
        reduced_(is_reduced(problem_.settings.reduction)),
        loops_(loops_for(problem_, axis_)) {
    if (problem_.settings.labels) {
      label_totals_ = workspace_.add<double>(labels_.count());
      this->add_stage(labels_.count(), &CrossEntropyKernel::check_labels);
    }
    this->add_stage(axis_.tiles(), &CrossEntropyKernel::run_lines);
    if (has_loss(problem_.parts)) losses_ = workspace_.add<double>(axis_.tiles());
    if (has_loss(problem_.parts) && reduced_) {
      this->add_stage(1, &CrossEntropyKernel::add_losses);
    }
    // What is one tile in every stage is one tile altogether.
    if (labels_.count() == 1 && axis_.tiles() == 1) this->run_as_one();
  }

  std::size_t workspace_bytes() const override { return workspace_.bytes(); }
  std::size_t scratch_bytes() const override {
    return scratch_numbers<T>(loops_, axis_) * sizeof(T);
  }

  std::string description() const override {
    return cat(to_string(problem_.parts), " ", name_of(loops_), ", ", axis_.tiles(), " tiles of ",
               axis_.units_per_tile * axis_.columns,
               loops_ == Loops::streamed_rows ? ", streamed" : "");
  }

 private:
  using Buffers = CrossEntropyBuffers<T>;

  void check_labels(std::int64_t tile, const KernelRun& run) const {
    const Buffers buffers(problem_, run);
    label_totals_.in(run.workspace<std::byte>())[tile] =
        labels_.check_tile(tile, buffers.labels, buffers.weight);
  }

  void add_losses(std::int64_t /*tile*/, const KernelRun& run) const {
    const double* losses = losses_.in(run.workspace<std::byte>());
    double total = 0;
    for (std::int64_t i = 0; i < axis_.tiles(); ++i) total += losses[i];
    *run.output<T>(0) = static_cast<T>(total / divisor(run));
  }

  double divisor(const KernelRun& run) const {
    std::span<const double> totals;
    if (problem_.settings.labels) {
      totals = {label_totals_.in(run.workspace<std::byte>()),
                static_cast<std::size_t>(labels_.count())};
    }
    return loss_divisor(problem_.settings, axis_.lines(), totals);
  }

  void run_lines(std::int64_t tile, const KernelRun& run) const {
    const Buffers buffers(problem_, run);
    const double smoothing = problem_.settings.label_smoothing;
    LineTarget<T> target;
    target.weight = buffers.weight;
    target.certain = static_cast<T>(1 - smoothing);
    target.uniform = static_cast<T>(smoothing / static_cast<double>(axis_.n));
    const LineScale<T> scale(buffers.upstream, reduced_, divisor(run));
    T* scratch = run.scratch<T>();
    double total = 0;
    const auto add_units = [&](auto run_unit) {
      axis_.for_units(tile, [&](const MiddleAxis::Unit& unit) {
        if (buffers.probabilities != nullptr) {
          target.probabilities = buffers.probabilities + unit.element;
        }
        total += run_unit(unit);
      });
    };
    switch (loops_) {
      case Loops::short_rows: total = run_short_rows(buffers, tile, target, scale, scratch); break;
      case Loops::columns:
        add_units([&](const MiddleAxis::Unit& unit) {
          return run_columns(buffers, unit, target, scale, scratch);
        });
        break;
      case Loops::streamed_rows:
      case Loops::rows:
        add_units([&](const MiddleAxis::Unit& unit) {
          return run_row(buffers, unit, target, scale, scratch);
        });
        break;
    }
    if (loops_ == Loops::streamed_rows) finish_streaming();
    // In double, one per tile: they are added up in one order, whoever ran the tiles.
    if (has_loss(problem_.parts)) losses_.in(run.workspace<std::byte>())[tile] = total;
  }

  bool ignored(std::int64_t label) const { return label == problem_.settings.ignore_index; }

  T label_weight(const LineTarget<T>& target, std::int64_t label) const {
    return target.certain * (target.weight != nullptr ? target.weight[label] : T(1));
  }

  // All rows of a tile; returns the sum of their losses.
  double run_short_rows(const Buffers& buffers, std::int64_t tile, const LineTarget<T>& target,
                        const LineScale<T>& scale, T* scratch) const {
    const std::int64_t first = tile * axis_.units_per_tile;
    const auto from = [](auto* all, std::int64_t at) { return all == nullptr ? all : all + at; };
    ShortRows<T> rows{.count = std::min(axis_.units_per_tile, axis_.lines() - first),
                      .classes = axis_.n,
                      .logits = buffers.logits + first * axis_.n,
                      .labels = from(buffers.labels, first),
                      .ignored = problem_.settings.ignore_index,
                      .target = target,
                      .upstream = from(scale.per_line, first),
                      .scale = scale.common,
                      .subtract = problem_.subtract,
                      .with_loss = has_loss(problem_.parts),
                      .loss = reduced_ ? nullptr : from(buffers.loss, first),
                      .other_terms = from(buffers.other_terms, first),
                      .gradient = from(buffers.gradient, first * axis_.n),
                      .scratch = scratch};
    rows.target.probabilities = from(buffers.probabilities, first * axis_.n);
    return short_rows(rows);
  }

  // One line whose classes lie side by side; returns its loss.
  double run_row(const Buffers& buffers, const MiddleAxis::Unit& unit, LineTarget<T> target,
                 const LineScale<T>& scale, T* scratch) const {
    const std::int64_t n = axis_.n;
    const std::int64_t line = unit.line;
    const T* z = buffers.logits + unit.element;
    T* dz = buffers.gradient == nullptr ? nullptr : buffers.gradient + unit.element;
    if (problem_.settings.labels) {
      if (ignored(buffers.labels[line])) {
        if (dz != nullptr) std::fill_n(dz, n, T(0));
        if (buffers.other_terms != nullptr) buffers.other_terms[line] = 0;
        if (!reduced_ && buffers.loss != nullptr) buffers.loss[line] = 0;
        return 0;
      }
      target.label = buffers.labels[line];
      target.label_weight = label_weight(target, target.label);
    }
    LineLoss<T> loss{};
    switch (problem_.parts) {
      case Parts::gradient:
        row_gradient(z, n, target, buffers.known_other_terms[line], scale.of(line),
                     problem_.subtract, dz);
        return 0;
      case Parts::loss:
        loss = row_loss(z, n, target);
        buffers.other_terms[line] = loss.other_terms;
        break;
      case Parts::loss_and_gradient:
        // Over the logits there is nothing to fetch that is not there already.
        loss = loops_ == Loops::streamed_rows && dz != z
                   ? row_loss_and_streamed_gradient(z, n, target, scale.of(line), scratch, dz)
                   : row_loss_and_gradient(z, n, target, scale.of(line), dz);
        break;
    }
    const double value = loss.value(target.label_weight);
    if (!reduced_) buffers.loss[line] = static_cast<T>(value);
    return value;
  }

  // Lines side by side; returns the sum of their losses.
  double run_columns(const Buffers& buffers, const MiddleAxis::Unit& unit,
                     const LineTarget<T>& target, const LineScale<T>& scale, T* scratch) const {
    using Label = typename ColumnLines<T>::Label;
    const Columns columns{axis_.n, axis_.inner, unit.columns};
    const ColumnLines<T> lines(scratch, axis_.columns);
    const auto skipped = [&](std::int64_t c) {
      return problem_.settings.labels && ignored(buffers.labels[unit.line + c]);
    };
    for (std::int64_t c = 0; c < unit.columns; ++c) {
      const std::int64_t line = unit.line + c;
      const std::int64_t label =
          problem_.settings.labels && !skipped(c) ? buffers.labels[line] : -1;
      lines.label()[c] = std::bit_cast<T>(static_cast<Label>(label));
      lines.label_weight()[c] = label < 0 ? T(0) : label_weight(target, label);
      lines.scale()[c] = scale.of(line);
    }
    const T* z = buffers.logits + unit.element;
    T* dz = buffers.gradient == nullptr ? nullptr : buffers.gradient + unit.element;
    double total = 0;
    if (!has_loss(problem_.parts)) {
      std::copy_n(buffers.known_other_terms + unit.line, unit.columns, lines.other_terms());
      columns_gradient_again(z, columns, target, lines, problem_.subtract, dz);
    } else {
      columns_loss(z, columns, target, lines, dz);
      for (std::int64_t c = 0; c < unit.columns; ++c) {
        const double value = skipped(c) ? 0 : lines.loss(c).value(lines.label_weight()[c]);
        if (!reduced_) buffers.loss[unit.line + c] = static_cast<T>(value);
        total += value;
      }
      if (buffers.other_terms != nullptr) {
        std::copy_n(lines.other_terms(), unit.columns, buffers.other_terms + unit.line);
      }
      if (dz != nullptr) columns_gradient(dz, columns, target, lines, dz);
    }
    for (std::int64_t c = 0; dz != nullptr && c < unit.columns; ++c) {
      if (!skipped(c)) continue;
      for (std::int64_t i = 0; i < axis_.n; ++i) dz[i * axis_.inner + c] = 0;
    }
    return total;
  }

  CrossEntropyProblem problem_;
  MiddleAxis axis_;
  LabelTiles labels_;
  bool reduced_;
  Loops loops_;
  BlockLayout workspace_;
  BlockPart<double> label_totals_;  // what each tile of labels adds to the divisor of a mean
  BlockPart<double> losses_;        // the sum of each tile of lines
};

}  // namespace

std::unique_ptr<Kernel> make_cross_entropy(const CrossEntropyProblem& problem) {
  return visit_floating(problem.logits.dtype, [&](auto zero) -> std::unique_ptr<Kernel> {
    return std::make_unique<CrossEntropyKernel<decltype(zero)>>(problem);
  });
}

}  // namespace gradmill
