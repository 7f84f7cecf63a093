#include <gradmill/ops/matmul/bands.h>
#include <gradmill/ops/simd/targets.h>

#include <algorithm>

#include <gradmill/ops/matmul/grid.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/matmul/bands.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// In the scratch, B lies in panels of two vectors' columns, and a band of A behind them, its rows
// side by side.
constexpr std::int64_t kLanes = hn::MaxLanes(D());
constexpr std::int64_t kPanel = 2 * kLanes;

// Six rows of a panel are what 16 registers hold; four take as long a row.
constexpr int kRows = 6;
constexpr int kFewRows = 4;
constexpr std::int64_t kUnrolled = 4;

// What misses the caches goes to the second level: A and B fill the first.
HWY_INLINE void ask_for(const float* p) { __builtin_prefetch(p, 0, 2); }

// C of `rows` rows and the panel's columns. Meanwhile what `next` says is asked for, row by row,
// and what begins at `later` in the panel behind this one, a row every few terms.
template <int rows>
HWY_INLINE void multiply_panel(std::int64_t depth, const float* HWY_RESTRICT a,
                               const float* HWY_RESTRICT b, bool add, float* HWY_RESTRICT c,
                               std::int64_t stride, NextRows next, const float* later) {
  const D d;
  V low[rows];
  V high[rows];
  for (int r = 0; r < rows; ++r) {
    low[r] = add ? hn::LoadU(d, c + r * stride) : hn::Zero(d);
    high[r] = add ? hn::LoadU(d, c + r * stride + kLanes) : hn::Zero(d);
  }
  const auto add_term = [&](std::int64_t k) HWY_ATTR {
    const V b_low = hn::Load(d, b + k * kPanel);
    const V b_high = hn::Load(d, b + k * kPanel + kLanes);
    for (int r = 0; r < rows; ++r) {
      const V factor = hn::Set(d, a[k * kBandRows + r]);
      low[r] = hn::MulAdd(factor, b_low, low[r]);
      high[r] = hn::MulAdd(factor, b_high, high[r]);
    }
  };
  int asked = next.count == 0 ? rows : 0;
  std::int64_t offset = 0;
  std::int64_t k = 0;
  for (; k + kUnrolled <= depth; k += kUnrolled, later += kPanel) {
    hwy::Prefetch(later);
    if (asked < rows) {
      for (std::size_t i = 0; i < next.count; ++i) ask_for(next.first[i] + offset);
      offset += next.stride;
      ++asked;
    }
    for (std::int64_t i = 0; i < kUnrolled; ++i) add_term(k + i);
  }
  for (; k < depth; ++k) add_term(k);
  for (int r = 0; r < rows; ++r) {
    hn::StoreU(low[r], d, c + r * stride);
    hn::StoreU(high[r], d, c + r * stride + kLanes);
  }
}

// Some rows of B at a time: as many as are well read at once, and written in a line.
void columns(const float* b, std::int64_t ldb, std::int64_t count, std::int64_t depth, float* to) {
  constexpr std::int64_t kAtOnce = 8;
  const D d;
  for (std::int64_t k = 0; k < depth; k += kAtOnce) {
    const std::int64_t end = std::min(depth, k + kAtOnce);
    for (std::int64_t j = 0; j < count; j += kPanel) {
      const std::int64_t width = std::min(kPanel, count - j);
      for (std::int64_t i = k; i < end; ++i) {
        const float* row = b + i * ldb + j;
        float* panel = to + j * depth + i * kPanel;
        if (width == kPanel) {
          hn::Store(hn::LoadU(d, row), d, panel);
          hn::Store(hn::LoadU(d, row + kLanes), d, panel + kLanes);
        } else {
          std::fill(std::copy_n(row, width, panel), panel + kPanel, 0.0F);
        }
      }
    }
  }
}

void rows(const float* a, std::int64_t lda, std::int64_t count, std::int64_t depth, float* to) {
  for (std::int64_t k = 0; k < depth; ++k, a += lda, to += kBandRows) {
    if (count == kBandRows) {
      std::copy_n(a, kBandRows, to);  // of a length that the compiler knows
    } else {
      std::copy_n(a, count, to);
    }
  }
}

// C of the panel's columns, and all rows of the band.
void multiply_rows(const GemmTile& block, const float* a, const float* b, bool add, float* c,
                   std::int64_t stride, const NextRows& next, const float* later) {
  const auto multiply = [&]<int count>(std::int64_t row) HWY_ATTR {
    NextRows here = next;
    for (std::size_t i = 0; i < next.count; ++i) here.first[i] += row * next.stride;
    multiply_panel<count>(block.depth, a + row, b, add, c + row * stride, stride, here, later);
    later += block.depth / kUnrolled * kPanel;
  };
  std::int64_t row = 0;
  const auto left = [&] { return block.rows - row; };
  for (; left() >= kRows && left() != std::int64_t{2} * kFewRows; row += kRows) {
    multiply.template operator()<kRows>(row);
  }
  for (; left() >= kFewRows; row += kFewRows) multiply.template operator()<kFewRows>(row);
  for (; left() > 0; ++row) multiply.template operator()<1>(row);
}

void band(const GemmTile& block, const float* a, std::int64_t lda, float* scratch, bool add,
          float* c, std::int64_t c_stride, const NextRows& next) {
  const std::int64_t panel_size = kPanel * block.depth;
  const std::int64_t panels = divide_up(block.columns, kPanel);
  float* const side_by_side = scratch + panels * panel_size;
  rows(a, lda, block.rows, block.depth, side_by_side);
  for (std::int64_t p = 0; p < panels; ++p) {
    const float* const b = scratch + p * panel_size;
    const float* const later = p + 1 < panels ? b + panel_size : b;
    const std::int64_t column = p * kPanel;
    const std::int64_t width = std::min(kPanel, block.columns - column);
    NextRows here = next;
    for (std::size_t i = 0; i < next.count; ++i) here.first[i] += column;
    if (width == kPanel) {
      multiply_rows(block, side_by_side, b, add, c + column, c_stride, here, later);
      continue;
    }
    HWY_ALIGN float edge[kBandRows * kPanel] = {};
    for (std::int64_t r = 0; add && r < block.rows; ++r) {
      std::copy_n(c + column + r * c_stride, width, edge + r * kPanel);
    }
    multiply_rows(block, side_by_side, b, add, edge, kPanel, here, later);
    for (std::int64_t r = 0; r < block.rows; ++r) {
      std::copy_n(edge + r * kPanel, width, c + column + r * c_stride);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

constexpr std::int64_t kWidestPanel = 32;  // of any instruction set
constexpr std::int64_t kBlockDepth = 160;  // 20 KiB of A and 10 of B with AVX2

}  // namespace

HWY_EXPORT(columns);
HWY_EXPORT(band);

std::int64_t band_depth(std::int64_t depth) {
  return divide_up(depth, divide_up(depth, kBlockDepth));
}

std::size_t band_scratch(std::int64_t columns, std::int64_t depth) {
  const std::int64_t width = divide_up(columns, kWidestPanel) * kWidestPanel;
  return static_cast<std::size_t>((width + kBandRows) * band_depth(depth));
}

void lay_out_columns(const Gemm& g, const GemmTile& block, const float* b, float* scratch) {
  HWY_DYNAMIC_DISPATCH(columns)
  (b + block.k * g.n + block.column, g.n, block.columns, block.depth, scratch);
}

void multiply_band(const Gemm& g, const GemmTile& block, const float* a, float* scratch, bool add,
                   float* c, std::int64_t c_stride, const NextRows& next) {
  HWY_DYNAMIC_DISPATCH(band)
  (block, a + block.k * g.m + block.row, g.m, scratch, add, c, c_stride, next);
}

}  // namespace gradmill
#endif
