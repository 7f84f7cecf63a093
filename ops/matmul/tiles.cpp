#include <gradmill/ops/matmul/tiles.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <gradmill/ops/tiles/divide_up.h>

namespace gradmill {
namespace {

constexpr double kGroupFlops = 10e6;  // small matrices share tiles of about this much work
constexpr double kCallFlops = 25e3;   // what could be done in the time that a call takes

BatchWalk walk(const Gemm& g, bool summed) {
  std::vector<BatchAxis> axes = g.batch;
  std::erase_if(axes, [&](const BatchAxis& axis) { return (axis.c == 0) != summed; });
  return BatchWalk(std::move(axes));
}

}  // namespace

GemmTiles::GemmTiles(const Gemm& gemm, const GemmGrid& grid)
    : m_(gemm.m),
      n_(gemm.n),
      k_(gemm.k),
      tile_m_(grid.tile_m),
      tile_n_(grid.tile_n),
      rows_(divide_up(m_, tile_m_)),
      columns_(divide_up(n_, tile_n_)),
      results_(walk(gemm, false)),
      terms_(walk(gemm, true)),
      parts_(grid.k_parts),
      part_depth_(k_) {
  if (parts_ > terms_.size()) {
    part_depth_ = divide_up(k_, divide_up(parts_, terms_.size()));
    // Rounding up may leave other numbers of parts.
    pieces_ = divide_up(k_, part_depth_);
    parts_ = terms_.size() * pieces_;
  }
  const double batches = static_cast<double>(results_.size());
  const double one =
      2.0 * static_cast<double>(m_) * static_cast<double>(n_) * static_cast<double>(k_);
  const double work = batches * static_cast<double>(terms_.size()) * (one + kCallFlops);
  const auto groups = std::llround(std::clamp(work / kGroupFlops, 1.0, batches));
  results_per_tile_ = cut() ? 1 : divide_up(results_.size(), groups);
}

std::int64_t GemmTiles::whole() const {
  return divide_up(results_.size(), results_per_tile_) * rows_ * columns_;
}

GemmWork GemmTiles::whole_work(std::int64_t tile) const {
  const std::int64_t in_matrix = tile % (rows_ * columns_);
  const std::int64_t first = tile / (rows_ * columns_) * results_per_tile_;
  GemmWork work{.results = {first, std::min(results_.size(), first + results_per_tile_)},
                .terms = {0, terms_.size()}};
  work.tile.row = in_matrix / columns_ * tile_m_;
  work.tile.column = in_matrix % columns_ * tile_n_;
  work.tile.rows = std::min(tile_m_, m_ - work.tile.row);
  work.tile.columns = std::min(tile_n_, n_ - work.tile.column);
  work.tile.depth = k_;
  return work;
}

GemmWork GemmTiles::work(std::int64_t tile) const {
  GemmWork work = whole_work(tile / parts_);
  work.part = tile % parts_;
  const std::int64_t shares = parts_ / pieces_;
  const std::int64_t share = work.part / pieces_;
  work.tile.k = work.part % pieces_ * part_depth_;
  work.tile.depth = std::min(part_depth_, k_ - work.tile.k);
  work.terms = {share * terms_.size() / shares, (share + 1) * terms_.size() / shares};
  return work;
}

}  // namespace gradmill
