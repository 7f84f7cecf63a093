#pragma once

// How a matrix product is cut into tiles.

#include <cstdint>
#include <string>
#include <vector>

#include <gradmill/ops/matmul/problem.h>
#include <gradmill/runtime/tuning.h>

namespace gradmill {

/// The cut of each matrix of C, and of the sum over k.
struct GemmGrid {
  std::int64_t tile_m = 1;
  std::int64_t tile_n = 1;
  /// Above 1, the sum over k, and over the batch axes that C lacks, is cut into so many parts,
  /// which are added up in order.
  std::int64_t k_parts = 1;
  /// Whether each tile first packs its columns of B, row by row.
  bool pack_b = false;
  /// The same for its part of a transposed A, whose rows keep their order.
  bool pack_a = false;
  /// Whether what is packed is packed whole, before the first tile, rather than by each tile.
  bool pack_once = false;
  /// Whether a tile of A^T B is computed by bands of rows (bands.h), which packs by itself what it
  /// needs.
  bool bands = false;

  friend bool operator==(const GemmGrid&, const GemmGrid&) = default;
};

/// By the problem alone: enough tiles for many cores (32 or more above 1 GFLOP), of shapes that
/// `dnnl_sgemm` is fast on. `tuning` may know a better one.
GemmGrid choose_grid(const Gemm& gemm, const Tuning* tuning = nullptr);

/// What is worth trying instead, `choose_grid`'s own among it: as rich in tiles.
std::vector<GemmGrid> candidate_grids(const Gemm& gemm);

/// How a tuning file names a problem, and a grid.
std::string tuning_key(const Gemm& gemm);
std::vector<std::int64_t> tuning_choice(const GemmGrid& grid);
/// The way back. Throws Error for what is no grid of the problem.
GemmGrid grid_of(const Gemm& gemm, const std::vector<std::int64_t>& choice);

}  // namespace gradmill
