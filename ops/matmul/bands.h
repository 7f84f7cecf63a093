#pragma once

// A tile of a product A^T B of f32 by bands of rows, each of which is used as soon as it is there:
// the shape of a weight's gradient, with the update that follows it.
//
// An update moves many bytes and computes little, a product the other way round. One after the
// other they keep first the processor waiting, then the memory. Here the product prefetches what
// the update of its band will read while it computes, which no library's product can be told to.
// Its blocks stay in the caches after Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication" (2008).

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <gradmill/ops/matmul/problem.h>

namespace gradmill {

/// Whether a product has the shape for it.
inline bool may_use_bands(const Gemm& g) {
  return g.dtype == DType::f32 && g.transpose_a && !g.transpose_b && g.batch.empty();
}

/// Arrays that lie as C does, of which the part that belongs to a band is read after it.
struct NextRows {
  static constexpr std::size_t kMax = 4;
  std::array<const float*, kMax> first = {};  ///< the element that goes with C's first
  std::size_t count = 0;
  std::int64_t stride = 0;  ///< from row to row, in elements

  /// Without what belongs to the rows and columns before these.
  NextRows from(std::int64_t row, std::int64_t column) const {
    NextRows result = *this;
    for (std::size_t i = 0; i < count; ++i) result.first[i] += row * stride + column;
    return result;
  }
};

inline constexpr std::int64_t kBandRows = 32;

/// Elements of scratch, 64-byte aligned, for a tile of so many columns and such a depth.
std::int64_t band_scratch(std::int64_t columns, std::int64_t depth);

/// The depth of the blocks that a sum is cut into, so that they stay in the nearest cache.
std::int64_t band_depth(std::int64_t depth);

/// Packs B of the block's columns and depth into `scratch`.
void pack_band_columns(const Gemm& gemm, const GemmTile& block, const float* b, float* scratch);

/// C = A^T B, or C += A^T B, of at most kBandRows rows, with the B that was packed. `c` and `next`
/// start at the block's first element.
void multiply_band(const Gemm& gemm, const GemmTile& block, const float* a, float* scratch,
                   bool add, float* c, std::int64_t c_stride, const NextRows& next);

/// C = A^T B of the tile. finish(row, rows) is called for each band of C once it is there, in
/// order.
template <class Finish>
void multiply_in_bands(const Gemm& gemm, const GemmTile& tile, const float* a, const float* b,
                       float* scratch, float* c, std::int64_t c_stride, const NextRows& next,
                       const Finish& finish) {
  const std::int64_t step = band_depth(tile.depth);
  for (std::int64_t at = 0; at < tile.depth; at += step) {
    GemmTile block = tile;
    block.k += at;
    block.depth = std::min(step, tile.depth - at);
    pack_band_columns(gemm, block, b, scratch);
    const bool last = at + step >= tile.depth;
    for (std::int64_t row = 0; row < tile.rows; row += kBandRows) {
      block.row = tile.row + row;
      block.rows = std::min(kBandRows, tile.rows - row);
      multiply_band(gemm, block, a, scratch, at > 0, c + row * c_stride, c_stride,
                    last ? next.from(row, 0) : NextRows());
      if (last) finish(row, block.rows);
    }
  }
}

}  // namespace gradmill
