#include <gradmill/ops/matmul/kernel.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/matmul/bands.h>
#include <gradmill/ops/matmul/batch.h>
#include <gradmill/ops/matmul/grid.h>
#include <gradmill/ops/matmul/multiply.h>
#include <gradmill/ops/matmul/pack.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/support/alignment.h>

namespace gradmill {
namespace {

constexpr double kGroupFlops = 10e6;  // small matrices share tiles of about this much work
constexpr double kCallFlops = 25e3;   // what could be done in the time that a call takes

BatchWalk walk(const Gemm& g, bool summed) {
  std::vector<BatchAxis> axes = g.batch;
  std::erase_if(axes, [&](const BatchAxis& axis) { return (axis.c == 0) != summed; });
  return BatchWalk(std::move(axes));
}

// A tile is one tile of the grid in one matrix of C, or, where the matrices are small, several
// whole matrices. Operands that are laid out for all tiles are so in a phase before them, in the
// workspace. Where the sum is cut, its parts go there too, and a phase after it adds them up. A
// part is some of the products that a matrix of C is the sum of, or, where those are too few, a
// piece of the sum over k of one.
template <class T>
class GemmKernel final : public Kernel, public Tunable {
 public:
  GemmKernel(const Gemm& gemm, Epilogue epilogue, const GemmGrid& grid)
      : gemm_(gemm),
        epilogue_(std::move(epilogue)),
        grid_(grid),
        whole_(gemm),
        rows_(divide_up(gemm.m, grid_.tile_m)),
        columns_(divide_up(gemm.n, grid_.tile_n)),
        part_depth_(gemm.k),
        results_(walk(gemm, false)),
        terms_(walk(gemm, true)) {
    if (grid_.k_parts > terms_.size()) {
      part_depth_ = divide_up(gemm.k, divide_up(grid_.k_parts, terms_.size()));
      // Rounding up may leave other numbers of parts.
      pieces_ = divide_up(gemm.k, part_depth_);
      grid_.k_parts = terms_.size() * pieces_;
    }
    const double batches = static_cast<double>(results_.size());
    const double one = 2.0 * static_cast<double>(gemm.m) * static_cast<double>(gemm.n) *
                       static_cast<double>(gemm.k);
    const double work = batches * static_cast<double>(terms_.size()) * (one + kCallFlops);
    const auto groups = std::llround(std::clamp(work / kGroupFlops, 1.0, batches));
    results_per_tile_ = split() ? 1 : divide_up(results_.size(), groups);
    if (epilogue_.update != nullptr) {
      update_inputs_ = updated_inputs(epilogue_);
      updated_ = update_inputs_.written();
    }
    if (grid_.pack_once) {
      stages_.push_back(Stage::pack);
      if (grid_.pack_a) whole_.m = packed_stride(gemm_.m);
      if (grid_.pack_b) {
        whole_.n = packed_stride(gemm_.n);
        whole_.transpose_b = false;
      }
    }
    stages_.push_back(Stage::multiply);
    if (split()) stages_.push_back(Stage::add);
  }

  int phases() const override { return static_cast<int>(stages_.size()); }

  std::int64_t tiles(int phase) const override {
    const std::int64_t whole = divide_up(results_.size(), results_per_tile_) * rows_ * columns_;
    switch (stages_[static_cast<std::size_t>(phase)]) {
      case Stage::pack: return (grid_.pack_a ? kPackTiles : 0) + (grid_.pack_b ? kPackTiles : 0);
      case Stage::multiply: return whole * grid_.k_parts;
      case Stage::add: return whole;
    }
    return 1;
  }

  std::size_t workspace_bytes() const override {
    return parts_bytes() + whole_bytes(grid_.pack_a, whole_.m) +
           whole_bytes(grid_.pack_b, whole_.n);
  }

  std::size_t scratch_bytes() const override {
    const std::size_t tile =
        epilogue_.update == nullptr ? 0 : static_cast<std::size_t>(grid_.tile_m * update_stride());
    return blocks_bytes() + tile * sizeof(T);
  }

  void run(int phase, std::int64_t index, const KernelRun& run) const override {
    const Stage stage = stages_[static_cast<std::size_t>(phase)];
    if (stage == Stage::pack) return pack_part(index, run);
    if (stage == Stage::add) return add_parts(index, run);
    const std::int64_t part = index % grid_.k_parts;
    const auto [group, place] = place_of(index / grid_.k_parts);
    GemmTile tile = place;
    const Terms terms = part_of_sum(part, tile);
    if (split()) {
      return multiply_terms(tile, group, terms, run, partial(group, part, tile, run), gemm_.n);
    }
    if (grid_.bands && !updated_.empty()) return multiply_and_update(tile, run);
    const std::int64_t end = std::min(results_.size(), (group + 1) * results_per_tile_);
    for (std::int64_t result = group * results_per_tile_; result < end; ++result) {
      const auto [c, stride] = destination(tile, result, run);
      multiply_terms(tile, result, terms, run, c, stride);
      finish(tile, result, run, c, stride);
    }
  }

  const Tunable* tunable() const override { return this; }

  std::string tuning_key() const override { return gradmill::tuning_key(gemm_); }

  std::vector<std::vector<std::int64_t>> choices() const override {
    std::vector<std::vector<std::int64_t>> result = {tuning_choice(grid_)};
    for (const GemmGrid& grid : candidate_grids(gemm_)) {
      if (grid != grid_) result.push_back(tuning_choice(grid));
    }
    return result;
  }

  std::unique_ptr<Kernel> with_choice(const std::vector<std::int64_t>& choice) const override {
    return std::make_unique<GemmKernel>(gemm_, epilogue_, grid_of(gemm_, choice));
  }

  std::string description() const override {
    std::string text = grid_.bands                 ? cat("bands of ", kBandRows, " rows, ")
                       : gemm_.dtype == DType::f32 ? "dnnl_sgemm, "
                                                   : "eigen, ";
    if (results_.size() > 1) text += cat(results_.size(), " batches of ");
    text += cat(rows_, "x", columns_, " tiles of ", grid_.tile_m, "x", grid_.tile_n);
    if (grid_.pack_a) text += ", lhs packed";
    if (grid_.pack_b) text += ", rhs packed";
    if (grid_.pack_once) text += " once";
    if (split()) text += cat(", sum in ", grid_.k_parts, " parts");
    if (results_per_tile_ > 1) text += cat(", ", results_per_tile_, " batches a tile");
    if (terms_.size() > 1) text += cat(", each the sum of ", terms_.size(), " products");
    if (!epilogue_.empty()) text += ", then " + to_string(epilogue_);
    return text;
  }

 private:
  enum class Stage : std::uint8_t { pack, multiply, add };
  static constexpr std::int64_t kPackTiles = 8;  // an operand

  bool split() const { return grid_.k_parts > 1; }

  struct Terms {
    std::int64_t begin;
    std::int64_t end;
  };

  // Which products a part of the sum has; the piece of their sums over k goes into `tile`.
  Terms part_of_sum(std::int64_t part, GemmTile& tile) const {
    const std::int64_t shares = grid_.k_parts / pieces_;
    const std::int64_t share = part / pieces_;
    tile.k = part % pieces_ * part_depth_;
    tile.depth = std::min(part_depth_, gemm_.k - tile.k);
    return {share * terms_.size() / shares, (share + 1) * terms_.size() / shares};
  }

  std::pair<std::int64_t, GemmTile> place_of(std::int64_t index) const {
    const std::int64_t in_matrix = index % (rows_ * columns_);
    GemmTile tile;
    tile.row = in_matrix / columns_ * grid_.tile_m;
    tile.column = in_matrix % columns_ * grid_.tile_n;
    tile.rows = std::min(grid_.tile_m, gemm_.m - tile.row);
    tile.columns = std::min(grid_.tile_n, gemm_.n - tile.column);
    return {index / (rows_ * columns_), tile};
  }

  // The workspace holds the sum's parts, then the operands that are laid out whole.
  std::size_t parts_bytes() const {
    if (!split()) return 0;
    return align_up(static_cast<std::size_t>(results_.size() * grid_.k_parts * gemm_.m * gemm_.n) *
                    sizeof(T));
  }
  std::size_t whole_bytes(bool packed, std::int64_t stride) const {
    if (!grid_.pack_once || !packed) return 0;
    return align_up(static_cast<std::size_t>(stride * gemm_.k) * sizeof(T));
  }
  T* whole_a(const KernelRun& run) const {
    return reinterpret_cast<T*>(run.workspace<std::byte>() + parts_bytes());
  }
  T* whole_b(const KernelRun& run) const {
    return reinterpret_cast<T*>(run.workspace<std::byte>() + parts_bytes() +
                                whole_bytes(grid_.pack_a, whole_.m));
  }

  // A piece of the sum's depth of one operand.
  void pack_part(std::int64_t index, const KernelRun& run) const {
    if constexpr (std::is_same_v<T, float>) {
      const std::int64_t from = index % kPackTiles * gemm_.k / kPackTiles;
      const std::int64_t depth = (index % kPackTiles + 1) * gemm_.k / kPackTiles - from;
      if (grid_.pack_a && index < kPackTiles) {
        return pack_rows(run.input<T>(0) + from * gemm_.m, 1, gemm_.m, gemm_.m, depth,
                         whole_a(run) + from * whole_.m, whole_.m);
      }
      const std::int64_t k_stride = gemm_.transpose_b ? 1 : gemm_.n;
      pack_rows(run.input<T>(1) + from * k_stride, gemm_.transpose_b ? gemm_.k : 1, k_stride,
                gemm_.n, depth, whole_b(run) + from * whole_.n, whole_.n);
    }
  }

  // The scratch holds a tile's own packed A and B, and the tile of C, as far as they are needed.
  std::size_t packed_bytes(bool packed, std::int64_t size) const {
    if (!packed || grid_.pack_once) return 0;
    return align_up(static_cast<std::size_t>(packed_elements(size, part_depth_)) * sizeof(T));
  }
  std::size_t packed_a_bytes() const { return packed_bytes(grid_.pack_a, grid_.tile_m); }
  std::size_t packed_bytes() const {
    return packed_a_bytes() + packed_bytes(grid_.pack_b, grid_.tile_n);
  }
  // What lies before the tile of C.
  std::size_t blocks_bytes() const {
    if (!grid_.bands) return packed_bytes();
    return align_up(band_scratch(grid_.tile_n, part_depth_) * sizeof(T));
  }
  PackedOperands<T> packed(const KernelRun& run) const {
    if (grid_.pack_once) return {};
    std::byte* scratch = run.scratch<std::byte>();
    return {grid_.pack_a ? reinterpret_cast<T*>(scratch) : nullptr,
            grid_.pack_b ? reinterpret_cast<T*>(scratch + packed_a_bytes()) : nullptr};
  }
  std::int64_t update_stride() const { return packed_stride(grid_.tile_n); }

  // Where the tile's result goes, and from one of its rows to the next. What only an update reads
  // never leaves the scratch.
  std::pair<T*, std::int64_t> destination(const GemmTile& tile, std::int64_t result,
                                          const KernelRun& run) const {
    if (epilogue_.update != nullptr) {
      return {reinterpret_cast<T*>(run.scratch<std::byte>() + blocks_bytes()), update_stride()};
    }
    return {run.output<T>(0) + (result * gemm_.m + tile.row) * gemm_.n + tile.column, gemm_.n};
  }

  T* partial(std::int64_t result, std::int64_t part, const GemmTile& tile,
             const KernelRun& run) const {
    return run.workspace<T>() + ((result * grid_.k_parts + part) * gemm_.m + tile.row) * gemm_.n +
           tile.column;
  }

  void multiply_terms(const GemmTile& tile, std::int64_t result, Terms terms, const KernelRun& run,
                      T* c, std::int64_t stride) const {
    if (grid_.bands) {
      const auto nothing = [](std::int64_t, std::int64_t) {};
      return by_bands(tile, run, c, stride, {}, nothing);
    }
    const BatchWalk::Place at = results_.at(result);
    const T* a = grid_.pack_once && grid_.pack_a ? whole_a(run) : run.input<T>(0);
    const T* b = grid_.pack_once && grid_.pack_b ? whole_b(run) : run.input<T>(1);
    for (std::int64_t term = terms.begin; term < terms.end; ++term) {
      const BatchWalk::Place more = terms_.at(term);
      multiply(whole_, tile, a + (at.a + more.a) * gemm_.m * gemm_.k,
               b + (at.b + more.b) * gemm_.k * gemm_.n, term > terms.begin, c, stride, packed(run));
    }
  }

  // Each band of the product is followed by its update.
  void multiply_and_update(const GemmTile& tile, const KernelRun& run) const {
    NextRows next{.stride = gemm_.n};
    if constexpr (std::is_same_v<T, float>) {
      for (const int i : updated_) {
        next.first.at(next.count++) = run.variable<T>(i) + tile.row * gemm_.n + tile.column;
      }
    }
    const auto [c, stride] = destination(tile, 0, run);
    const auto update = [&, c = c, stride = stride](std::int64_t row, std::int64_t rows) {
      GemmTile band = tile;
      band.row += row;
      band.rows = rows;
      finish(band, 0, run, c + row * stride, stride);
    };
    by_bands(tile, run, c, stride, next, update);
  }

  template <class Finish>
  void by_bands(const GemmTile& tile, const KernelRun& run, T* c, std::int64_t stride,
                const NextRows& next, const Finish& finish) const {
    if constexpr (std::is_same_v<T, float>) {
      multiply_in_bands(gemm_, tile, run.input<T>(0), run.input<T>(1), run.scratch<T>(), c, stride,
                        next, finish);
    }
  }

  void add_parts(std::int64_t index, const KernelRun& run) const {
    const auto [result, tile] = place_of(index);
    const auto [c, stride] = destination(tile, result, run);
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      T* sum = c + row * stride;
      std::copy_n(partial(result, 0, tile, run) + row * gemm_.n, tile.columns, sum);
      for (std::int64_t part = 1; part < grid_.k_parts; ++part) {
        kAdd(sum, 1, partial(result, part, tile, run) + row * gemm_.n, 1, sum, tile.columns);
      }
    }
    finish(tile, result, run, c, stride);
  }

  void finish(const GemmTile& tile, std::int64_t result, const KernelRun& run, T* tile_c,
              std::int64_t stride) const {
    if (epilogue_.empty()) return;
    const std::int64_t first = (result * gemm_.m + tile.row) * gemm_.n + tile.column;
    if (epilogue_.update != nullptr) {
      epilogue_.update->apply(run, update_inputs_,
                              GradientRows<T>{.gradient = tile_c,
                                              .gradient_stride = stride,
                                              .first = first,
                                              .stride = gemm_.n,
                                              .rows = tile.rows,
                                              .columns = tile.columns});
      return;
    }
    const T* bias = epilogue_.bias ? run.input<T>(2) + tile.column : nullptr;
    const T* operand = epilogue_.combine ? run.input<T>(epilogue_.bias ? 3 : 2) : nullptr;
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      T* c = tile_c + row * stride;
      if (bias != nullptr) kAdd(c, 1, bias, 1, c, tile.columns);
      if (epilogue_.activation) (*epilogue_.activation)(c, c, tile.columns);
      if (operand != nullptr) {
        (*epilogue_.combine)(c, 1, operand + first + row * gemm_.n, 1, c, tile.columns);
      }
    }
  }

  Gemm gemm_;
  Epilogue epilogue_;
  GemmGrid grid_;
  Gemm whole_;         // as the tiles read it: with operands that are laid out whole
  std::int64_t rows_;  // tiles of each matrix of C
  std::int64_t columns_;
  std::int64_t part_depth_;
  std::int64_t pieces_ = 1;  // into which the sum over k of each product is cut
  BatchWalk results_;        // one place a matrix of C, in C's order
  BatchWalk terms_;          // what is added up in each
  std::int64_t results_per_tile_;
  UpdateInputs update_inputs_;  // of the update, if there is one
  ShortList<int, 4> updated_;   // those that it writes
  std::vector<Stage> stages_;
};

}  // namespace

std::unique_ptr<Kernel> make_gemm(const Gemm& gemm, const Epilogue& epilogue,
                                  const Tuning* tuning) {
  const Gemm whole = folded(gemm);
  const GemmGrid grid = choose_grid(whole, tuning);
  if (whole.dtype == DType::f32) return std::make_unique<GemmKernel<float>>(whole, epilogue, grid);
  return std::make_unique<GemmKernel<double>>(whole, epilogue, grid);
}

std::string to_string(const Epilogue& epilogue) {
  std::string text;
  const auto append = [&](std::string_view part) {
    text.append(text.empty() ? "" : "+").append(part);
  };
  if (epilogue.bias) append("bias");
  if (epilogue.activation) append(to_string(*epilogue.activation));
  if (epilogue.combine) append(to_string(*epilogue.combine));
  if (epilogue.update != nullptr) append(epilogue.update->name());
  return text;
}

}  // namespace gradmill
