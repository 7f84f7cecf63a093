#include <gradmill/ops/matmul/block_product.h>

#include <algorithm>
#include <utility>

#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/matmul/multiply.h>
#include <gradmill/ops/tiles/divide_up.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr double kLarge = 1e9;           // FLOPs from which on memory decides about tiles
constexpr std::int64_t kTiles = 32;      // wanted
constexpr std::int64_t kSide = 256;      // of a tile
constexpr std::int64_t kDeepSide = 384;  // columns of a tile whose sum is long
constexpr std::int64_t kWideSide = 768;  // columns of a tile whose sum is short
constexpr std::int64_t kMaxParts = 16;
constexpr std::int64_t kSumGrain = 32768;  // elements that a tile that adds parts up reads

// Measured on Zen 3 (AVX2) with an operand of hundreds of MB: large tiles, so that it comes from
// memory once, 116 GFLOP/s becoming 142 for A B^T, 91 becoming 130 for A B with a long sum, and 57
// becoming 71 for A^T B whose A is packed first.
GemmGrid grid_for(const Gemm& g, bool may_cut, const Tuning* tuning) {
  GemmGrid grid = choose_grid(g, tuning);
  grid.pack_once = false;
  if (std::exchange(grid.bands, false)) grid.pack_a = true;  // what bands would have packed
  if (!may_cut) grid.k_parts = 1;
  const double flops =
      2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
  const bool tuned = tuning != nullptr && tuning->find(tuning_key(g)) != nullptr;
  if (tuned || g.dtype != DType::f32 || multiply_copies() || flops < kLarge) return grid;
  grid.tile_m = std::min(g.m, kSide);
  grid.tile_n = std::min(g.n, g.transpose_b ? kSide : g.transpose_a ? kWideSide : kDeepSide);
  grid.pack_a = g.transpose_a;
  grid.pack_b = false;
  const auto tiles = [&] { return divide_up(g.m, grid.tile_m) * divide_up(g.n, grid.tile_n); };
  if (may_cut) grid.k_parts = std::clamp(divide_up(kTiles, tiles()), std::int64_t{1}, kMaxParts);
  while (tiles() * grid.k_parts < kTiles && grid.tile_m > 64) grid.tile_m /= 2;
  return grid;
}

}  // namespace

BlockProduct::BlockProduct(const Gemm& gemm, std::int64_t a_stride, bool may_cut,
                           const Tuning* tuning)
    : gemm_(gemm), stored_(gemm), grid_(grid_for(gemm, may_cut, tuning)) {
  (gemm.transpose_a ? stored_.m : stored_.k) = a_stride;
  // A transposed B has rows of k elements, too, and is then dense with the A of that stride.
  check(!gemm.transpose_b || stored_.k == gemm.k, "a padded A meets a transposed B");
  columns_ = divide_up(gemm.n, grid_.tile_n);
  part_depth_ = divide_up(divide_up(gemm.k, grid_.k_parts), 16) * 16;
  parts_ = divide_up(gemm.k, part_depth_);
  const auto add_packed = [&](std::int64_t side) {
    const auto element = static_cast<std::int64_t>(size_of(gemm.dtype));
    return scratch_.add<std::byte>(packed_elements(side, part_depth_) * element);
  };
  if (grid_.pack_a) packed_a_ = add_packed(grid_.tile_m);
  if (grid_.pack_b) packed_b_ = add_packed(grid_.tile_n);
}

std::int64_t BlockProduct::tiles(std::int64_t rows) const {
  return divide_up(rows, grid_.tile_m) * columns_ * parts_;
}

std::size_t BlockProduct::parts_elements() const {
  return cut() ? static_cast<std::size_t>(parts_ * gemm_.m * gemm_.n) : 0;
}

std::string BlockProduct::description() const {
  return cat(grid_.tile_m, "x", grid_.tile_n, grid_.pack_a ? ", lhs packed" : "",
             grid_.pack_b ? ", rhs packed" : "", cut() ? cat(", sum in ", parts_, " parts") : "");
}

template <class T>
BlockProduct::Place BlockProduct::run(std::int64_t tile, const BlockOperands<T>& operands,
                                      std::byte* scratch) const {
  const std::int64_t part = tile % parts_;
  const std::int64_t place = tile / parts_;
  GemmTile at;
  at.row = place / columns_ * grid_.tile_m;
  at.column = place % columns_ * grid_.tile_n;
  at.rows = std::min(grid_.tile_m, operands.rows - at.row);
  at.columns = std::min(grid_.tile_n, gemm_.n - at.column);
  at.k = part * part_depth_;
  at.depth = std::min(part_depth_, operands.depth - at.k);
  const PackedOperands<T> packed{
      .a = grid_.pack_a ? reinterpret_cast<T*>(packed_a_.in(scratch)) : nullptr,
      .b = grid_.pack_b ? reinterpret_cast<T*>(packed_b_.in(scratch)) : nullptr};
  T* c = cut() ? operands.parts + part * gemm_.m * gemm_.n : operands.c;
  const std::int64_t stride = cut() ? gemm_.n : operands.c_stride;
  multiply(stored_, at, operands.a, operands.b, operands.add && !cut(),
           c + at.row * stride + at.column, stride, packed);
  return {at.row, at.column, at.rows, at.columns};
}

std::int64_t BlockProduct::sum_tiles(std::int64_t rows) const {
  if (!cut()) return 0;
  return divide_up(rows, std::max<std::int64_t>(1, kSumGrain / (gemm_.n * parts_)));
}

template <class T>
void BlockProduct::sum_parts(std::int64_t tile, const BlockOperands<T>& operands) const {
  const std::int64_t grain = std::max<std::int64_t>(1, kSumGrain / (gemm_.n * parts_));
  const std::int64_t end = std::min(operands.rows, (tile + 1) * grain);
  for (std::int64_t row = tile * grain; row < end; ++row) {
    T* sum = operands.c + row * operands.c_stride;
    for (std::int64_t part = 0; part < parts_; ++part) {
      const T* from = operands.parts + (part * gemm_.m + row) * gemm_.n;
      if (part == 0 && !operands.add) {
        std::copy_n(from, gemm_.n, sum);
      } else {
        kAdd(sum, 1, from, 1, sum, gemm_.n);
      }
    }
  }
}

template BlockProduct::Place BlockProduct::run(std::int64_t, const BlockOperands<float>&,
                                               std::byte*) const;
template BlockProduct::Place BlockProduct::run(std::int64_t, const BlockOperands<double>&,
                                               std::byte*) const;
template void BlockProduct::sum_parts(std::int64_t, const BlockOperands<float>&) const;
template void BlockProduct::sum_parts(std::int64_t, const BlockOperands<double>&) const;

}  // namespace gradmill
