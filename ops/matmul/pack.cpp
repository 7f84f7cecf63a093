#include <gradmill/ops/matmul/pack.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/matmul/pack.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/matmul/pack-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

void pack(const float* from, std::int64_t stride_j, std::int64_t stride_k, std::int64_t columns,
          std::int64_t depth, float* to, std::int64_t width) {
  if (stride_j == 1) return pack_straight(from, stride_k, depth, columns, to, width);
  pack_transposed(from, stride_j, depth, columns, 1.0F, to, width);
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(pack);

}  // namespace

void pack_rows(const float* from, std::int64_t stride_j, std::int64_t stride_k,
               std::int64_t columns, std::int64_t depth, float* to, std::int64_t width) {
  HWY_DYNAMIC_DISPATCH(pack)(from, stride_j, stride_k, columns, depth, to, width);
}

}  // namespace gradmill
#endif
