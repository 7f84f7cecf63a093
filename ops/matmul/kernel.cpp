#include <gradmill/ops/matmul/kernel.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/matmul/bands.h>
#include <gradmill/ops/matmul/batch.h>
#include <gradmill/ops/matmul/grid.h>
#include <gradmill/ops/matmul/multiply.h>
#include <gradmill/ops/matmul/pack.h>
#include <gradmill/ops/matmul/tiles.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/ops/tiles/stages.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/short_list.h>

namespace gradmill {
namespace {

// Operands that are packed for all tiles are so in a stage before them, in the workspace. Where the
// sum is cut, its parts go there too, and a stage after the tiles adds them up.
template <class T>
class GemmKernel final : public StagedKernel<GemmKernel<T>>, public Tunable {
 public:
  GemmKernel(const Gemm& gemm, Epilogue epilogue, const GemmGrid& grid)
      : gemm_(gemm), epilogue_(std::move(epilogue)), grid_(grid), tiles_(gemm, grid), read_(gemm) {
    grid_.k_parts = tiles_.parts();
    if (tiles_.cut()) {
      parts_ = workspace_.add<T>(tiles_.results().size() * tiles_.parts() * gemm.m * gemm.n);
    }
    place_operands();
    if (epilogue_.update != nullptr) {
      updated_ = updated_inputs(epilogue_).written();
      gradient_ = scratch_.add<T>(grid_.tile_m * packed_stride(grid_.tile_n));
    }
    if (grid_.pack_once) {
      this->add_stage(kPackTiles * (grid_.pack_a + grid_.pack_b), &GemmKernel::pack_part);
    }
    if (tiles_.cut()) {
      this->add_stage(tiles_.all(), &GemmKernel::multiply_part);
      this->add_stage(tiles_.whole(), &GemmKernel::add_parts);
    } else if (grid_.bands && !updated_.empty()) {
      this->add_stage(tiles_.all(), &GemmKernel::multiply_and_update);
    } else {
      this->add_stage(tiles_.all(), &GemmKernel::multiply_whole);
    }
  }

  std::size_t workspace_bytes() const override { return workspace_.bytes(); }
  std::size_t scratch_bytes() const override { return scratch_.bytes(); }

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
    std::string text =
        grid_.bands ? cat("bands of ", kBandRows, " rows, ") : cat(multiply_name(T()), ", ");
    const std::int64_t results = tiles_.results().size();
    const std::int64_t terms = tiles_.terms().size();
    if (results > 1) text += cat(results, " batches of ");
    text +=
        cat(tiles_.rows(), "x", tiles_.columns(), " tiles of ", grid_.tile_m, "x", grid_.tile_n);
    if (grid_.pack_a) text += ", lhs packed";
    if (grid_.pack_b) text += ", rhs packed";
    if (grid_.pack_once) text += " once";
    if (tiles_.cut()) text += cat(", sum in ", tiles_.parts(), " parts");
    if (tiles_.results_per_tile() > 1) {
      text += cat(", ", tiles_.results_per_tile(), " batches a tile");
    }
    if (terms > 1) text += cat(", each the sum of ", terms, " products");
    if (!epilogue_.empty()) text += ", then " + to_string(epilogue_);
    return text;
  }

 private:
  static constexpr std::int64_t kPackTiles = 8;  // per operand

  // Packed by bands, once for all tiles, or by each tile for itself.
  void place_operands() {
    const std::int64_t depth = tiles_.part_depth();
    if (grid_.bands) {
      bands_ = scratch_.add<T>(band_scratch(grid_.tile_n, depth));
    } else if (grid_.pack_once) {
      if (grid_.pack_a) {
        read_.m = packed_stride(gemm_.m);
        a_ = workspace_.add<T>(read_.m * gemm_.k);
      }
      if (grid_.pack_b) {
        read_.n = packed_stride(gemm_.n);
        read_.transpose_b = false;
        b_ = workspace_.add<T>(read_.n * gemm_.k);
      }
    } else {
      if (grid_.pack_a) a_ = scratch_.add<T>(packed_elements(grid_.tile_m, depth));
      if (grid_.pack_b) b_ = scratch_.add<T>(packed_elements(grid_.tile_n, depth));
    }
  }

  // A piece of the sum's depth of one operand.
  void pack_part(std::int64_t index, const KernelRun& run) const {
    if constexpr (std::is_same_v<T, float>) {
      std::byte* workspace = run.workspace<std::byte>();
      const std::int64_t from = index % kPackTiles * gemm_.k / kPackTiles;
      const std::int64_t depth = (index % kPackTiles + 1) * gemm_.k / kPackTiles - from;
      if (grid_.pack_a && index < kPackTiles) {
        return pack_rows(run.input<T>(0) + from * gemm_.m, 1, gemm_.m, gemm_.m, depth,
                         a_.in(workspace) + from * read_.m, read_.m);
      }
      const std::int64_t k_stride = gemm_.transpose_b ? 1 : gemm_.n;
      pack_rows(run.input<T>(1) + from * k_stride, gemm_.transpose_b ? gemm_.k : 1, k_stride,
                gemm_.n, depth, b_.in(workspace) + from * read_.n, read_.n);
    }
  }

  void multiply_whole(std::int64_t index, const KernelRun& run) const {
    const GemmWork work = tiles_.work(index);
    for (std::int64_t result = work.results.begin; result < work.results.end; ++result) {
      const ResultTile<T> tile = destination(result, work.tile, run);
      multiply_terms(work.terms, tile, run);
      apply_epilogue(epilogue_, gemm_, tile, run);
    }
  }

  void multiply_part(std::int64_t index, const KernelRun& run) const {
    const GemmWork work = tiles_.work(index);
    const std::int64_t result = work.results.begin;
    multiply_terms(work.terms,
                   {result, work.tile, part(result, work.part, work.tile, run), gemm_.n}, run);
  }

  void add_parts(std::int64_t index, const KernelRun& run) const {
    const GemmWork work = tiles_.whole_work(index);
    const GemmTile& tile = work.tile;
    const std::int64_t result = work.results.begin;
    const ResultTile<T> sums = destination(result, tile, run);
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      T* sum = sums.c + row * sums.stride;
      std::copy_n(part(result, 0, tile, run) + row * gemm_.n, tile.columns, sum);
      for (std::int64_t i = 1; i < tiles_.parts(); ++i) {
        kAdd(sum, 1, part(result, i, tile, run) + row * gemm_.n, 1, sum, tile.columns);
      }
    }
    apply_epilogue(epilogue_, gemm_, sums, run);
  }

  // Each band of the product is followed by its update.
  void multiply_and_update(std::int64_t index, const KernelRun& run) const {
    const ResultTile<T> gradient = destination(0, tiles_.work(index).tile, run);
    NextRows next{.stride = gemm_.n};
    if constexpr (std::is_same_v<T, float>) {
      for (const int i : updated_) {
        next.first.at(next.count++) = run.variable<T>(i);
      }
    }
    by_bands(gradient, next.from(gradient.tile.row, gradient.tile.column), run,
             [&](std::int64_t row, std::int64_t rows) {
               apply_epilogue(epilogue_, gemm_, gradient.rows(row, rows), run);
             });
  }

  void multiply_terms(GemmRange terms, const ResultTile<T>& to, const KernelRun& run) const {
    if (grid_.bands) return by_bands(to, {}, run, [](std::int64_t, std::int64_t) {});
    const T* a = run.input<T>(0);
    const T* b = run.input<T>(1);
    PackedOperands<T> packed;
    if (grid_.pack_once) {
      if (grid_.pack_a) a = a_.in(run.workspace<std::byte>());
      if (grid_.pack_b) b = b_.in(run.workspace<std::byte>());
    } else {
      if (grid_.pack_a) packed.a = a_.in(run.scratch<std::byte>());
      if (grid_.pack_b) packed.b = b_.in(run.scratch<std::byte>());
    }
    const BatchWalk::Place at = tiles_.results().at(to.result);
    for (std::int64_t term = terms.begin; term < terms.end; ++term) {
      const BatchWalk::Place more = tiles_.terms().at(term);
      multiply(read_, to.tile, a + (at.a + more.a) * gemm_.m * gemm_.k,
               b + (at.b + more.b) * gemm_.k * gemm_.n, term > terms.begin, to.c, to.stride,
               packed);
    }
  }

  template <class Finish>
  void by_bands(const ResultTile<T>& to, const NextRows& next, const KernelRun& run,
                const Finish& finish) const {
    if constexpr (std::is_same_v<T, float>) {
      multiply_in_bands(gemm_, to.tile, run.input<T>(0), run.input<T>(1),
                        bands_.in(run.scratch<std::byte>()), to.c, to.stride, next, finish);
    }
  }

  // What only an update reads never leaves the scratch.
  ResultTile<T> destination(std::int64_t result, const GemmTile& tile, const KernelRun& run) const {
    if (epilogue_.update != nullptr) {
      return {result, tile, gradient_.in(run.scratch<std::byte>()), packed_stride(grid_.tile_n)};
    }
    return {result, tile, run.output<T>(0) + (result * gemm_.m + tile.row) * gemm_.n + tile.column,
            gemm_.n};
  }

  T* part(std::int64_t result, std::int64_t index, const GemmTile& tile,
          const KernelRun& run) const {
    return parts_.in(run.workspace<std::byte>()) +
           ((result * tiles_.parts() + index) * gemm_.m + tile.row) * gemm_.n + tile.column;
  }

  Gemm gemm_;
  Epilogue epilogue_;
  GemmGrid grid_;
  GemmTiles tiles_;
  Gemm read_;                  // as the tiles read it: with operands that are packed once
  ShortList<int, 4> updated_;  // inputs that the update writes, if there is one
  BlockLayout workspace_;
  BlockLayout scratch_;
  BlockPart<T> parts_;  // of the sum
  BlockPart<T> a_;      // packed, once or by a tile
  BlockPart<T> b_;
  BlockPart<T> bands_;
  BlockPart<T> gradient_;  // the tile of C
};

}  // namespace

std::unique_ptr<Kernel> make_gemm(const Gemm& gemm, const Epilogue& epilogue,
                                  const Tuning* tuning) {
  const Gemm whole = folded(gemm);
  const GemmGrid grid = choose_grid(whole, tuning);
  return visit_floating(whole.dtype, [&](auto zero) -> std::unique_ptr<Kernel> {
    return std::make_unique<GemmKernel<decltype(zero)>>(whole, epilogue, grid);
  });
}

}  // namespace gradmill
