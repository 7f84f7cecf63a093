#pragma once

// What each tile of a batch of products computes.

#include <cstdint>

#include <gradmill/ops/matmul/batch.h>
#include <gradmill/ops/matmul/grid.h>
#include <gradmill/ops/matmul/problem.h>

namespace gradmill {

/// [begin, end)
struct GemmRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// The work of one tile.
struct GemmWork {
  GemmRange results = {};  ///< the matrices of C that it computes a part of
  GemmTile tile = {};      ///< the part, and the piece of the sum over k
  GemmRange terms = {};    ///< which of the products that each of them is the sum of
  std::int64_t part = 0;   ///< of the sum
};

/// A tile is one tile of the grid in one matrix of C, or, where the matrices are small, several
/// whole matrices. Where the sum is cut, a tile computes one part of it: some of the products that
/// a matrix of C is the sum of, or, where those are too few, a piece of the sum over k of one.
class GemmTiles {
 public:
  GemmTiles(const Gemm& gemm, const GemmGrid& grid);

  /// Tiles of whole sums, and of parts of them.
  std::int64_t whole() const;
  std::int64_t all() const { return whole() * parts_; }

  GemmWork work(std::int64_t tile) const;
  /// The same for a tile of whole sums.
  GemmWork whole_work(std::int64_t tile) const;

  bool cut() const { return parts_ > 1; }
  std::int64_t parts() const { return parts_; }  ///< perhaps fewer than the grid asks for
  std::int64_t part_depth() const { return part_depth_; }
  const BatchWalk& results() const { return results_; }  ///< one per matrix of C, in C's order
  const BatchWalk& terms() const { return terms_; }      ///< what is added up in each

  std::int64_t rows() const { return rows_; }  ///< tiles of each matrix of C
  std::int64_t columns() const { return columns_; }
  std::int64_t results_per_tile() const { return results_per_tile_; }

 private:
  std::int64_t m_;
  std::int64_t n_;
  std::int64_t k_;
  std::int64_t tile_m_;
  std::int64_t tile_n_;
  std::int64_t rows_;
  std::int64_t columns_;
  BatchWalk results_;
  BatchWalk terms_;
  std::int64_t parts_;
  std::int64_t pieces_ = 1;  // into which the sum over k of each product is cut
  std::int64_t part_depth_;
  std::int64_t results_per_tile_;
};

}  // namespace gradmill
