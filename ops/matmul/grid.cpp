#include <gradmill/ops/matmul/grid.h>

#include <algorithm>
#include <cmath>

#include <gradmill/ops/matmul/bands.h>
#include <gradmill/ops/matmul/multiply.h>
#include <gradmill/ops/tiles/divide_up.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

// The figures below were measured with dnnl_sgemm on Zen 4 with AVX-512, and on Zen 3 with AVX2,
// where it reads small operands where they are (`multiply_copies`).

// A tile of about this much arithmetic keeps its overhead small. Large products need no more tiles
// than many cores do, and larger tiles are faster.
constexpr double kTileFlops = 8e6;
constexpr double kTilesOfLarge = 32;
constexpr double kTileFlopsOfHuge = 400e6;
// Tiles of A B are tall, of few columns; those of A^T B are wide.
constexpr std::int64_t kStrip = 48;         // columns that its inner kernels take at a time
constexpr std::int64_t kStripInPlace = 64;  // without AVX-512, where they take 16
constexpr std::int64_t kMaxTallRows = 512;
constexpr std::int64_t kMaxTallRowsInPlace = 128;  // of a transposed B that is read as it lies
constexpr std::int64_t kMaxTallColumnsInPlace = 128;
constexpr std::int64_t kMaxWideRows = 256;
constexpr std::int64_t kMaxWideColumns = 528;
constexpr std::int64_t kBlockRows = 64;
constexpr std::int64_t kMaxWideColumnsInPlace = 400;  // without AVX-512, where B is read as it lies
constexpr std::int64_t kMaxWideColumnsPacked = 256;
constexpr std::int64_t kPackedColumns = 144;  // wider ones are read well enough
constexpr std::int64_t kMinPackedRows = 128;  // of A: for fewer, packing B costs too much
constexpr std::int64_t kMinRows = 32;
constexpr std::int64_t kMinDepth = 512;  // of a part of the sum
constexpr std::int64_t kMaxParts = 64;
constexpr std::int64_t kMinDepthOfBands = 96;
constexpr std::int64_t kMaxDepthOfBands = 256;
constexpr std::int64_t kQuantum = 16;
constexpr double kLarge = 1e9;  // FLOPs from which on there must be many tiles

std::int64_t even(std::int64_t size, std::int64_t parts, std::int64_t quantum) {
  return std::min(size, divide_up(divide_up(size, parts), quantum) * quantum);
}

double flops(const Gemm& g) {
  double result =
      2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
  for (const BatchAxis& axis : g.batch) result *= static_cast<double>(axis.size);
  return result;
}

// Of each matrix of C.
std::int64_t wanted_tiles(const Gemm& g) {
  const double total = flops(g);
  double matrices = 1;
  for (const BatchAxis& axis : g.batch) {
    if (axis.c != 0) matrices *= static_cast<double>(axis.size);
  }
  const double tiles =
      std::max(std::min(total / kTileFlops, kTilesOfLarge), total / kTileFlopsOfHuge);
  return std::max<std::int64_t>(1, std::llround(std::min(std::ceil(tiles / matrices), 1e6)));
}

// In each matrix of C.
std::int64_t tiles(const Gemm& g, const GemmGrid& grid) {
  return divide_up(g.m, grid.tile_m) * divide_up(g.n, grid.tile_n) * grid.k_parts;
}

// What is read with a stride of whole pages falls into the same few lines of the cache.
bool collides(std::int64_t stride) { return stride % (multiply_copies() ? 1024 : 512) == 0; }

// What is packed, as a tuning names it.
constexpr std::int64_t kPackB = 1;
constexpr std::int64_t kPackA = 2;
constexpr std::int64_t kPackOnce = 4;
constexpr std::int64_t kByBands = 8;

bool may_pack(const Gemm& g, std::int64_t packing) {
  if (packing == 0) return true;
  if (packing == kByBands) return may_use_bands(g);
  if (packing < 0 || packing > (kPackB | kPackA | kPackOnce)) return false;
  if (g.dtype != DType::f32 || packing == kPackOnce) return false;
  if ((packing & kPackA) != 0 && !g.transpose_a) return false;
  return (packing & kPackOnce) == 0 || g.batch.empty();
}

GemmGrid with_packing(GemmGrid grid, std::int64_t packing) {
  grid.pack_b = (packing & kPackB) != 0;
  grid.pack_a = (packing & kPackA) != 0;
  grid.pack_once = (packing & kPackOnce) != 0;
  grid.bands = packing == kByBands;
  return grid;
}

// By bands, an update that follows a product hides behind it. It takes as long as about 30 terms of
// the sum when it misses the caches: of many terms it is too little to gain by, and of few the
// product is little beside what it packs. With AVX-512, oneDNN's products leave less to gain.
bool worth_bands(const Gemm& g) {
  return may_use_bands(g) && !multiply_copies() && g.k >= kMinDepthOfBands &&
         g.k <= kMaxDepthOfBands && g.n >= kQuantum;
}

// Packing B pays where each of its columns is used often, and read badly as it is.
bool worth_packing(const Gemm& g, const GemmGrid& grid) {
  if (g.dtype != DType::f32) return false;
  if (g.transpose_b) {
    return multiply_copies() && grid.tile_m >= kStrip && g.k >= 16 && g.n > 1;
  }
  if (!collides(g.n)) return false;
  if (!multiply_copies()) return grid.tile_m >= kMinRows;
  return grid.tile_m >= kMinPackedRows && grid.tile_n <= kPackedColumns && g.k >= 256;
}

// Packing a transposed A, the same way.
bool worth_packing_lhs(const Gemm& g, const GemmGrid& grid) {
  return g.dtype == DType::f32 && g.transpose_a && collides(g.m) && !multiply_copies() &&
         grid.tile_n >= kStrip;
}

// In one go where many tiles would repeat it.
bool worth_packing_once(const Gemm& g, const GemmGrid& grid) {
  return g.transpose_a && (grid.pack_a || grid.pack_b) && g.batch.empty() && flops(g) > kLarge &&
         !multiply_copies();
}

std::int64_t strip() { return multiply_copies() ? kStrip : kStripInPlace; }

// Few columns are shared out evenly, more in whole strips, and not fewer than `columns`.
std::int64_t strip_width(std::int64_t n, std::int64_t columns, std::int64_t strip) {
  const std::int64_t width = n / columns / strip * strip;
  return columns < 4 || width == 0 ? even(n, columns, kQuantum) : width;
}

// The products that each matrix of C is the sum of.
std::int64_t terms(const Gemm& g) {
  std::int64_t result = 1;
  for (const BatchAxis& axis : g.batch) {
    if (axis.c == 0) result *= axis.size;
  }
  return result;
}

// The sum is cut where C is too small for enough tiles: between products, then within them.
void split_sum(const Gemm& g, std::int64_t wanted, GemmGrid& grid) {
  const std::int64_t have = tiles(g, grid);
  if (2 * have > wanted) return;
  const std::int64_t products = terms(g);
  const std::int64_t max = std::max({std::int64_t{1}, products * (g.k / kMinDepth),
                                     std::min(products, products * g.k / kMinDepth)});
  grid.k_parts = std::min({divide_up(wanted, have), kMaxParts, max});
}

// The rows into which to cut so that there are `wanted` tiles, if that leaves each `min_rows`.
std::int64_t enough_rows(const Gemm& g, std::int64_t rows, std::int64_t columns,
                         std::int64_t wanted, std::int64_t min_rows) {
  return std::max(rows, std::min(divide_up(wanted, columns), g.m / min_rows));
}

// A B: tall tiles of few columns of B, which are packed once per tile. A B^T without AVX-512:
// blocks of rows of both that stay in the cache as they lie.
GemmGrid tall_tiles(const Gemm& g, std::int64_t wanted) {
  const bool in_place = g.transpose_b && !multiply_copies();
  std::int64_t rows = divide_up(g.m, in_place ? kMaxTallRowsInPlace : kMaxTallRows);
  const std::int64_t min_columns = in_place ? g.n / kMaxTallColumnsInPlace : 1;
  const std::int64_t max_columns = std::max<std::int64_t>(1, g.n / strip());
  const std::int64_t columns =
      std::min(std::max(divide_up(wanted, rows), min_columns), max_columns);
  const bool scarce = flops(g) > kLarge || rows * columns * 4 <= wanted;
  rows = enough_rows(g, rows, columns, wanted, scarce ? kMinRows : kMinPackedRows);
  return {.tile_m = even(g.m, rows, 8),
          .tile_n = strip_width(g.n, columns, in_place ? strip() / 2 : strip())};
}

// A^T B: tiles of few rows and many columns.
GemmGrid wide_tiles(const Gemm& g, std::int64_t wanted) {
  std::int64_t rows = divide_up(g.m, kMaxWideRows);
  const std::int64_t widest = multiply_copies() ? kMaxWideColumns
                              : collides(g.n)   ? kMaxWideColumnsPacked
                                                : kMaxWideColumnsInPlace;
  std::int64_t columns = divide_up(g.n, widest);
  rows = enough_rows(g, rows, columns, wanted, kMinRows);
  const std::int64_t max_columns = std::max<std::int64_t>(1, g.n / kStrip);
  columns = std::max(columns, std::min(divide_up(wanted, rows), max_columns));
  // Whole blocks, where they come out even, are a tenth faster than other heights.
  const std::int64_t height = !multiply_copies() && g.m % kBlockRows == 0 ? kBlockRows : 8;
  return {.tile_m = even(g.m, rows, height), .tile_n = even(g.n, columns, kQuantum)};
}

GemmGrid grid_for(const Gemm& g, std::int64_t wanted) {
  // Where rows of B collide but those of A do not, or A is small, packing strips of B pays.
  const bool tall =
      !g.transpose_a || (multiply_copies() && collides(g.n) && (!collides(g.m) || g.n < 2048));
  GemmGrid grid = tall ? tall_tiles(g, wanted) : wide_tiles(g, wanted);
  grid.bands = worth_bands(g);
  grid.pack_b = !grid.bands && worth_packing(g, grid);
  grid.pack_a = !grid.bands && worth_packing_lhs(g, grid);
  grid.pack_once = worth_packing_once(g, grid);
  split_sum(g, wanted, grid);
  return grid;
}

}  // namespace

GemmGrid choose_grid(const Gemm& g, const Tuning* tuning) {
  if (tuning != nullptr) {
    if (const auto* choice = tuning->find(tuning_key(g))) return grid_of(g, *choice);
  }
  // Rounding to what kernels like may leave fewer tiles than wanted, which large products need.
  const std::int64_t wanted = wanted_tiles(g);
  GemmGrid grid = grid_for(g, wanted);
  for (std::int64_t more = wanted + 1; more <= 2 * wanted; ++more) {
    if (flops(g) <= kLarge || tiles(g, grid) >= wanted) break;
    grid = grid_for(g, more);
  }
  return grid;
}

std::vector<GemmGrid> candidate_grids(const Gemm& g) {
  std::vector<GemmGrid> result = {choose_grid(g)};
  const std::int64_t min_tiles = std::min<std::int64_t>(tiles(g, result[0]), 32);
  for (const std::int64_t tile_m : {32, 64, 128, 192, 256, 512}) {
    for (const std::int64_t tile_n : {48, 96, 144, 192, 288, 384, 528}) {
      for (const std::int64_t packing : {0, 1, 2, 3, 5, 6, 7, 8}) {
        if (!may_pack(g, packing)) continue;
        const GemmGrid grid = with_packing({.tile_m = std::min(tile_m, g.m),
                                            .tile_n = std::min(tile_n, g.n),
                                            .k_parts = result[0].k_parts},
                                           packing);
        if (tiles(g, grid) < min_tiles ||
            tiles(g, grid) > 8 * std::max<std::int64_t>(min_tiles, 4)) {
          continue;
        }
        if (std::ranges::find(result, grid) == result.end()) result.push_back(grid);
      }
    }
  }
  return result;
}

std::string tuning_key(const Gemm& g) {
  std::string key = cat("matmul ", to_string(g.dtype), ' ', g.m, 'x', g.n, 'x', g.k,
                        g.transpose_a ? " ta" : "", g.transpose_b ? " tb" : "");
  for (const BatchAxis& axis : g.batch) {
    key += cat(' ', axis.size, ':', axis.a, ':', axis.b, ':', axis.c);
  }
  return key;
}

GemmGrid grid_of(const Gemm& g, const std::vector<std::int64_t>& choice) {
  const auto within = [&](std::size_t i, std::int64_t min, std::int64_t max) {
    return choice[i] >= min && choice[i] <= max;
  };
  check(choice.size() == 4 && within(0, 1, g.m) && within(1, 1, g.n) &&
            within(2, 1, g.k * terms(g)) && may_pack(g, choice[3]),
        "the tuning for '", tuning_key(g),
        "' must be [rows of a tile, columns of a tile, parts of the sum, 1 to pack the rhs + 2 to ",
        "pack a transposed lhs + 4 to do so once for all tiles of a product without a batch, or 8 ",
        "for bands of rows of f32 with a transposed lhs alone and no batch], ",
        "each within the product's sizes");
  return with_packing({.tile_m = choice[0], .tile_n = choice[1], .k_parts = choice[2]}, choice[3]);
}

std::vector<std::int64_t> tuning_choice(const GemmGrid& grid) {
  return {grid.tile_m, grid.tile_n, grid.k_parts,
          (grid.pack_b ? kPackB : 0) + (grid.pack_a ? kPackA : 0) +
              (grid.pack_once ? kPackOnce : 0) + (grid.bands ? kByBands : 0)};
}

}  // namespace gradmill
