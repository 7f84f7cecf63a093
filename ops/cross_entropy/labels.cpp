#include <gradmill/ops/cross_entropy/labels.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/cross_entropy/labels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

std::int64_t count_labels(const std::int64_t* labels, std::int64_t n, std::int64_t classes,
                          std::int64_t ignored) {
  const hn::ScalableTag<std::int64_t> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto skip = hn::Set(d, ignored);
  const auto lowest = hn::Set(d, std::int64_t{-1});
  const auto end = hn::Set(d, classes);
  const auto one = hn::Set(d, std::int64_t{1});
  auto count = hn::Zero(d);
  auto valid = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto label = hn::LoadU(d, labels + i);
    const auto in_range = hn::And(hn::Gt(label, lowest), hn::Lt(label, end));
    const auto counts = hn::Not(hn::Eq(label, skip));
    count = hn::Add(count, hn::IfThenElseZero(counts, one));
    valid = hn::Add(valid, hn::IfThenElseZero(hn::And(counts, in_range), one));
  }
  std::int64_t counted = hn::GetLane(hn::SumOfLanes(d, count));
  std::int64_t in_range = hn::GetLane(hn::SumOfLanes(d, valid));
  for (; i < n; ++i) {
    if (labels[i] == ignored) continue;
    ++counted;
    if (labels[i] >= 0 && labels[i] < classes) ++in_range;
  }
  return in_range == counted ? counted : -1;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {

HWY_EXPORT(count_labels);

std::int64_t count_labels(const std::int64_t* labels, std::int64_t n, std::int64_t classes,
                          std::int64_t ignored) {
  return HWY_DYNAMIC_DISPATCH(count_labels)(labels, n, classes, ignored);
}

}  // namespace gradmill
#endif
