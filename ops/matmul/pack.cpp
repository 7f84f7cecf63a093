#include <gradmill/ops/matmul/pack.h>
#include <gradmill/ops/simd/targets.h>

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/matmul/pack.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// to[k * width + j] = from[j * stride + k] for kSide x kSide elements.
#if HWY_TARGET == HWY_SCALAR
constexpr std::int64_t kSide = 1;
HWY_INLINE void transpose_square(const float* from, std::int64_t, float* to, std::int64_t) {
  *to = *from;
}
#else
constexpr std::int64_t kSide = 4;
HWY_INLINE void transpose_square(const float* from, std::int64_t stride, float* to,
                                 std::int64_t width) {
  const hn::FixedTag<float, 4> d;
  const hn::Repartition<double, decltype(d)> pairs;
  const auto r0 = hn::LoadU(d, from);
  const auto r1 = hn::LoadU(d, from + stride);
  const auto r2 = hn::LoadU(d, from + 2 * stride);
  const auto r3 = hn::LoadU(d, from + 3 * stride);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, r0, r1));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, r0, r1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, r2, r3));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, r2, r3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, to + width);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, to + 2 * width);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, to + 3 * width);
}
#endif

// Both ways jump from row to row, which the processor does not foresee: what comes next is asked
// for in time.
constexpr std::int64_t kLine = 16;

void copy_rows(const float* from, std::int64_t stride, std::int64_t columns, std::int64_t depth,
               float* to, std::int64_t width) {
  constexpr std::int64_t kAhead = 12;
  for (std::int64_t k = 0; k < depth; ++k) {
    const float* row = from + k * stride;
    if (k + kAhead < depth) {
      for (std::int64_t j = 0; j < columns; j += kLine) hwy::Prefetch(row + kAhead * stride + j);
    }
    std::copy_n(row, columns, to + k * width);
  }
}

// A few lines of the source at a time, each read to its end before the next: they stay in the
// cache.
void transpose_rows(const float* from, std::int64_t stride, std::int64_t columns,
                    std::int64_t depth, float* to, std::int64_t width) {
  const std::int64_t squares = columns / kSide * kSide;
  std::int64_t k = 0;
  for (; k + kSide <= depth; k += kLine) {
    const std::int64_t end = std::min(depth - kSide, k + kLine - kSide);
    const bool more = k + 3 * kLine <= depth;
    for (std::int64_t j = 0; j < squares; j += kSide) {
      for (std::int64_t i = 0; more && i < kSide; ++i) {
        hwy::Prefetch(from + (j + i) * stride + k + 2 * kLine);
      }
      for (std::int64_t l = k; l <= end; l += kSide) {
        transpose_square(from + j * stride + l, stride, to + l * width + j, width);
      }
    }
  }
  const std::int64_t whole = depth / kSide * kSide;
  for (std::int64_t l = 0; l < depth; ++l) {
    for (std::int64_t j = l < whole ? squares : 0; j < columns; ++j) {
      to[l * width + j] = from[j * stride + l];
    }
  }
}

void pack(const float* from, std::int64_t stride_j, std::int64_t stride_k, std::int64_t columns,
          std::int64_t depth, float* to, std::int64_t width) {
  if (stride_j == 1) return copy_rows(from, stride_k, columns, depth, to, width);
  transpose_rows(from, stride_j, columns, depth, to, width);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {

HWY_EXPORT(pack);

void pack_rows(const float* from, std::int64_t stride_j, std::int64_t stride_k,
               std::int64_t columns, std::int64_t depth, float* to, std::int64_t width) {
  HWY_DYNAMIC_DISPATCH(pack)(from, stride_j, stride_k, columns, depth, to, width);
}

}  // namespace gradmill
#endif
