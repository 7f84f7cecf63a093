#include <gradmill/ops/matmul/bands.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/matmul/bands.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/matmul/micro_kernel-inl.h>
// clang-format on

#include <hwy/cache_control.h>

#include <algorithm>

#include <gradmill/ops/tiles/divide_up.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kPanel = kPanelColumns<float>;

// While rows of C are computed, what `next` says of them is prefetched, row by row, and the panel
// that comes next, a line every few terms.
class BandPrefetch {
 public:
  static constexpr std::int64_t kTerms = 4;

  BandPrefetch(const NextRows& next, std::int64_t column, const float* panel, std::int64_t depth)
      : next_(next), column_(column), panel_(panel), lines_(depth / kTerms) {}

  struct Rows {
    HWY_INLINE void next() {
      hwy::Prefetch(panel);
      panel += kPanel;
      if (count == 0) return;
      // Into the second-level cache: A and B fill the first.
      for (std::size_t i = 0; i < arrays.count; ++i) {
        __builtin_prefetch(arrays.first[i] + offset, 0, 2);
      }
      offset += arrays.stride;
      --count;
    }

    const NextRows& arrays;
    const float* panel;
    std::int64_t offset;
    int count;
  };
  HWY_INLINE Rows rows(std::int64_t group, std::int64_t row, int count) const {
    return {next_, panel_ + group * lines_ * kPanel, row * next_.stride + column_,
            next_.count == 0 ? 0 : count};
  }

 private:
  const NextRows& next_;
  std::int64_t column_;
  const float* panel_;
  std::int64_t lines_;
};

void pack_columns(const float* b, std::int64_t ldb, std::int64_t columns, std::int64_t depth,
                  float* to) {
  pack_panels(b, ldb, depth, depth, columns, to);
}

// B lies in panels in the scratch, and the band of A behind them.
void band(const GemmTile& block, const float* a, std::int64_t lda, float* scratch, bool add,
          float* c, std::int64_t c_stride, const NextRows& next) {
  const std::int64_t panel_size = kPanel * block.depth;
  const std::int64_t panels = divide_up(block.columns, kPanel);
  float* const packed = scratch + panels * panel_size;
  pack_straight(a, lda, block.depth, block.rows, packed, kBandRows);
  const Left<float> left{packed, kBandRows, block.depth};
  const OldSum old = add ? OldSum::first : OldSum::unused;
  for (std::int64_t p = 0; p < panels; ++p) {
    const float* const b = scratch + p * panel_size;
    const std::int64_t column = p * kPanel;
    const std::int64_t width = std::min(kPanel, block.columns - column);
    const BandPrefetch prefetch(next, column, p + 1 < panels ? b + panel_size : b, block.depth);
    if (width == kPanel) {
      multiply_panel<false>(left, block.rows, b, old, c + column, c_stride, prefetch);
      continue;
    }
    HWY_ALIGN float edge[kBandRows * kPanel] = {};
    for (std::int64_t r = 0; add && r < block.rows; ++r) {
      std::copy_n(c + column + r * c_stride, width, edge + r * kPanel);
    }
    multiply_panel<false>(left, block.rows, b, old, edge, kPanel, prefetch);
    for (std::int64_t r = 0; r < block.rows; ++r) {
      std::copy_n(edge + r * kPanel, width, c + column + r * c_stride);
    }
  }
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

constexpr std::int64_t kWidestPanel = 32;  // of any instruction set
constexpr std::int64_t kBlockDepth = 160;  // 20 KiB of A and 10 of B with AVX2

HWY_EXPORT(pack_columns);
HWY_EXPORT(band);

}  // namespace

std::int64_t band_depth(std::int64_t depth) {
  return divide_up(depth, divide_up(depth, kBlockDepth));
}

std::int64_t band_scratch(std::int64_t columns, std::int64_t depth) {
  const std::int64_t width = divide_up(columns, kWidestPanel) * kWidestPanel;
  return (width + kBandRows) * band_depth(depth);
}

void pack_band_columns(const Gemm& g, const GemmTile& block, const float* b, float* scratch) {
  HWY_DYNAMIC_DISPATCH(pack_columns)
  (b + block.k * g.n + block.column, g.n, block.columns, block.depth, scratch);
}

void multiply_band(const Gemm& g, const GemmTile& block, const float* a, float* scratch, bool add,
                   float* c, std::int64_t c_stride, const NextRows& next) {
  HWY_DYNAMIC_DISPATCH(band)
  (block, a + block.k * g.m + block.row, g.m, scratch, add, c, c_stride, next);
}

}  // namespace gradmill
#endif
