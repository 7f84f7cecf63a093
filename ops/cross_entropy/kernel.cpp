#include <gradmill/ops/cross_entropy/kernel.h>

#include <algorithm>
#include <bit>
#include <vector>

#include <gradmill/ops/cross_entropy/column_loops.h>
#include <gradmill/ops/cross_entropy/labels.h>
#include <gradmill/ops/cross_entropy/row_loops.h>
#include <gradmill/ops/cross_entropy/short_row_loops.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/tiles/middle_axis.h>

namespace gradmill {
namespace {

using Parts = CrossEntropyParts;

// The buffers of a node by what they mean; null where it has none.
template <class T>
struct Buffers {
  Buffers(const CrossEntropyProblem& problem, const KernelRun& run) : logits(run.input<T>(0)) {
    int input = 1;
    if (problem.settings.labels) {
      labels = run.input<std::int64_t>(input++);
    } else {
      probabilities = run.input<T>(input++);
    }
    if (problem.settings.weighted) weight = run.input<T>(input++);
    if (problem.parts == Parts::gradient) known_rest = run.input<T>(input++);
    if (problem.parts != Parts::loss) upstream = run.input<T>(input++);
    if (problem.parts != Parts::gradient) loss = run.output<T>(0);
    if (problem.parts == Parts::loss) rest = run.output<T>(1);
    if (problem.parts == Parts::gradient) gradient = run.output<T>(0);
    if (problem.parts == Parts::loss_and_gradient) gradient = run.output<T>(1);
  }

  const T* logits;
  const std::int64_t* labels = nullptr;
  const T* probabilities = nullptr;
  const T* weight = nullptr;
  const T* known_rest = nullptr;
  const T* upstream = nullptr;
  T* loss = nullptr;
  T* rest = nullptr;
  T* gradient = nullptr;
};

template <class T>
class CrossEntropyKernel final : public Kernel {
 public:
  explicit CrossEntropyKernel(CrossEntropyProblem problem)
      : problem_(std::move(problem)),
        axis_(problem_.logits.shape, 1),
        label_tiles_{axis_.lines(), kLabels},
        reduced_(problem_.settings.reduction != Reduction::none),
        short_rows_(axis_.inner == 1 && axis_.n <= kShortRow),
        streamed_(axis_.inner == 1 && !short_rows_ && problem_.parts == Parts::loss_and_gradient &&
                  2 * problem_.logits.bytes() >= kStreamedBytes) {
    if (problem_.settings.labels) stages_.push_back(Stage::labels);
    stages_.push_back(Stage::lines);
    if (reduced_ && problem_.parts != Parts::gradient) stages_.push_back(Stage::total);
    small_ = label_tiles_.count() == 1 && axis_.tiles() == 1;
  }

  // What is one tile in every stage is one tile altogether.
  int phases() const override { return small_ ? 1 : static_cast<int>(stages_.size()); }

  std::int64_t tiles(int phase) const override {
    if (small_) return 1;
    switch (stages_[static_cast<std::size_t>(phase)]) {
      case Stage::labels: return label_tiles_.count();
      case Stage::lines: return axis_.tiles();
      case Stage::total: return 1;
    }
    return 1;
  }

  // One partial sum a tile, in double: they are then added up in one order, whoever ran the tiles.
  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(label_tiles_.count() + axis_.tiles()) * sizeof(double);
  }
  std::size_t scratch_bytes() const override {
    if (short_rows_) return short_row_scratch<T>(axis_.n) * sizeof(T);
    if (streamed_) return static_cast<std::size_t>(axis_.n) * sizeof(T);
    if (axis_.inner == 1) return 0;
    return ColumnLines<T>::kRows * static_cast<std::size_t>(axis_.columns) * sizeof(T);
  }

  void run(int phase, std::int64_t tile, const KernelRun& run) const override {
    if (!small_) return run_stage(stages_[static_cast<std::size_t>(phase)], tile, run);
    for (const Stage stage : stages_) run_stage(stage, 0, run);
  }

  std::string description() const override {
    return cat(problem_.parts == Parts::loss       ? "loss"
               : problem_.parts == Parts::gradient ? "gradient"
                                                   : "loss and gradient",
               short_rows_        ? " by columns of many rows, "
               : axis_.inner == 1 ? " by rows, "
                                  : " by columns, ",
               axis_.tiles(), " tiles of ", axis_.units_per_tile * axis_.columns,
               streamed_ ? ", streamed" : "");
  }

 private:
  enum class Stage : std::uint8_t { labels, lines, total };
  static constexpr std::int64_t kLabels = 16384;  // a tile
  // Of logits and gradient: more than the last cache, or its share of it, will hold for who reads
  // the gradient next.
  static constexpr std::size_t kStreamedBytes = std::size_t{32} << 20U;

  void run_stage(Stage stage, std::int64_t tile, const KernelRun& run) const {
    const Buffers<T> buffers(problem_, run);
    switch (stage) {
      case Stage::labels:
        return check_labels(run.input<std::int64_t>(1), buffers.weight, tile,
                            run.workspace<double>());
      case Stage::lines: return run_lines(buffers, tile, run);
      case Stage::total: break;
    }
    const double* partial = run.workspace<double>() + label_tiles_.count();
    double total = 0;
    for (std::int64_t i = 0; i < axis_.tiles(); ++i) total += partial[i];
    *run.output<T>(0) = static_cast<T>(total / divisor(run.workspace<double>()));
  }

  bool ignored(std::int64_t label) const { return label == problem_.settings.ignore_index; }

  void check_labels(const std::int64_t* labels, const T* weight, std::int64_t tile,
                    double* partial) const {
    const std::int64_t begin = label_tiles_.begin(tile);
    const std::int64_t end = label_tiles_.end(tile);
    const std::int64_t count =
        count_labels(labels + begin, end - begin, axis_.n, problem_.settings.ignore_index);
    if (weight == nullptr && count >= 0) {
      partial[tile] = static_cast<double>(count);
      return;
    }
    double total = 0;
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t label = labels[line];
      if (ignored(label)) continue;
      check_label("cross_entropy", problem_.name, label, line, problem_.lines, axis_.n);
      if (weight != nullptr) total += static_cast<double>(weight[label]);
    }
    partial[tile] = total;
  }

  double divisor(const double* label_totals) const {
    if (problem_.settings.reduction != Reduction::mean) return 1;
    if (!problem_.settings.labels) return static_cast<double>(axis_.lines());
    double total = 0;
    for (std::int64_t i = 0; i < label_tiles_.count(); ++i) total += label_totals[i];
    return total;
  }

  void run_lines(const Buffers<T>& buffers, std::int64_t tile, const KernelRun& run) const {
    const double smoothing = problem_.settings.label_smoothing;
    LineTarget<T> target;
    target.weight = buffers.weight;
    target.certain = static_cast<T>(1 - smoothing);
    target.uniform = static_cast<T>(smoothing / static_cast<double>(axis_.n));
    const double share = divisor(run.workspace<double>());
    const T* upstream = buffers.upstream;
    const T common = reduced_ && upstream != nullptr
                         ? static_cast<T>(static_cast<double>(*upstream) / share)
                         : T(0);
    const auto scale = [&](std::int64_t line) {
      return reduced_ || upstream == nullptr ? common : upstream[line];
    };
    double total = 0;
    if (short_rows_) {
      total = run_short_rows(buffers, tile, target, common, run.scratch<T>());
    } else {
      axis_.for_units(tile, [&](const MiddleAxis::Unit& unit) {
        if (buffers.probabilities != nullptr) {
          target.probabilities = buffers.probabilities + unit.element;
        }
        total += axis_.inner == 1 ? run_row(buffers, unit, target, scale, run.scratch<T>())
                                  : run_columns(buffers, unit, target, scale, run.scratch<T>());
      });
    }
    if (streamed_) finish_streaming();
    if (problem_.parts != Parts::gradient) {
      run.workspace<double>()[label_tiles_.count() + tile] = total;
    }
  }

  T spike(const LineTarget<T>& target, std::int64_t label) const {
    return target.certain * (target.weight != nullptr ? target.weight[label] : T(1));
  }

  // All rows of a tile; returns the sum of their losses.
  double run_short_rows(const Buffers<T>& buffers, std::int64_t tile, const LineTarget<T>& target,
                        T scale, T* scratch) const {
    const std::int64_t first = tile * axis_.units_per_tile;
    const auto from = [](auto* all, std::int64_t at) { return all == nullptr ? all : all + at; };
    ShortRows<T> rows{.count = std::min(axis_.units_per_tile, axis_.lines() - first),
                      .classes = axis_.n,
                      .logits = buffers.logits + first * axis_.n,
                      .labels = from(buffers.labels, first),
                      .ignored = problem_.settings.ignore_index,
                      .target = target,
                      .upstream = reduced_ ? nullptr : from(buffers.upstream, first),
                      .scale = scale,
                      .subtract = problem_.subtract,
                      .with_loss = problem_.parts != Parts::gradient,
                      .loss = reduced_ ? nullptr : from(buffers.loss, first),
                      .rest = from(buffers.rest, first),
                      .gradient = from(buffers.gradient, first * axis_.n),
                      .scratch = scratch};
    rows.target.probabilities = from(buffers.probabilities, first * axis_.n);
    return short_rows(rows);
  }

  // One line whose classes lie side by side; returns its loss.
  template <class Scale>
  double run_row(const Buffers<T>& buffers, const MiddleAxis::Unit& unit, LineTarget<T> target,
                 const Scale& scale, T* scratch) const {
    const std::int64_t n = axis_.n;
    const std::int64_t line = unit.line;
    const T* z = buffers.logits + unit.element;
    T* dz = buffers.gradient == nullptr ? nullptr : buffers.gradient + unit.element;
    if (problem_.settings.labels) {
      if (ignored(buffers.labels[line])) {
        if (dz != nullptr) std::fill_n(dz, n, T(0));
        if (buffers.rest != nullptr) buffers.rest[line] = 0;
        if (!reduced_ && buffers.loss != nullptr) buffers.loss[line] = 0;
        return 0;
      }
      target.label = buffers.labels[line];
      target.spike = spike(target, target.label);
    }
    LineLoss<T> loss{};
    switch (problem_.parts) {
      case Parts::gradient:
        row_gradient(z, n, target, buffers.known_rest[line], scale(line), problem_.subtract, dz);
        return 0;
      case Parts::loss:
        loss = row_loss(z, n, target);
        buffers.rest[line] = loss.rest;
        break;
      case Parts::loss_and_gradient:
        // Over the logits there is nothing to fetch that is not there already.
        loss = streamed_ && dz != z
                   ? row_loss_and_streamed_gradient(z, n, target, scale(line), scratch, dz)
                   : row_loss_and_gradient(z, n, target, scale(line), dz);
        break;
    }
    const double value = loss.value(target.spike);
    if (!reduced_) buffers.loss[line] = static_cast<T>(value);
    return value;
  }

  // Lines side by side; returns the sum of their losses.
  template <class Scale>
  double run_columns(const Buffers<T>& buffers, const MiddleAxis::Unit& unit,
                     const LineTarget<T>& target, const Scale& scale, T* scratch) const {
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
      lines.spike()[c] = label < 0 ? T(0) : spike(target, label);
      lines.scale()[c] = scale(line);
    }
    const T* z = buffers.logits + unit.element;
    T* dz = buffers.gradient == nullptr ? nullptr : buffers.gradient + unit.element;
    double total = 0;
    if (problem_.parts == Parts::gradient) {
      std::copy_n(buffers.known_rest + unit.line, unit.columns, lines.rest());
      columns_gradient_again(z, columns, target, lines, problem_.subtract, dz);
    } else {
      columns_loss(z, columns, target, lines, dz);
      for (std::int64_t c = 0; c < unit.columns; ++c) {
        const double value = skipped(c) ? 0 : lines.loss(c).value(lines.spike()[c]);
        if (!reduced_) buffers.loss[unit.line + c] = static_cast<T>(value);
        total += value;
      }
      if (buffers.rest != nullptr) {
        std::copy_n(lines.rest(), unit.columns, buffers.rest + unit.line);
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
  FlatTiles label_tiles_;
  bool reduced_;
  bool short_rows_;
  bool streamed_;
  bool small_ = false;
  std::vector<Stage> stages_;
};

}  // namespace

std::string to_string(const CrossEntropySettings& settings) {
  const Reduction reduction = settings.reduction;
  return cat("reduction=",
             reduction == Reduction::none   ? "none"
             : reduction == Reduction::mean ? "mean"
                                            : "sum",
             " ignore_index=", settings.ignore_index,
             " label_smoothing=", settings.label_smoothing);
}

std::unique_ptr<Kernel> make_cross_entropy(const CrossEntropyProblem& problem) {
  if (problem.logits.dtype == DType::f32) {
    return std::make_unique<CrossEntropyKernel<float>>(problem);
  }
  return std::make_unique<CrossEntropyKernel<double>>(problem);
}

}  // namespace gradmill
