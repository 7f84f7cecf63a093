// Which scores of a strip of queries exist, and what a mask does to them. Included once per target,
// like Highway's own -inl headers.

// clang-format off
#if defined(GRADMILL_OPS_ATTENTION_SCORES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_ATTENTION_SCORES_INL_H_
#undef GRADMILL_OPS_ATTENTION_SCORES_INL_H_
#else
#define GRADMILL_OPS_ATTENTION_SCORES_INL_H_
#endif
// clang-format on

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include <gradmill/ops/attention/head.h>
#include <gradmill/ops/matmul/micro_kernel-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

// Everything is done a strip of queries at a time: a strip's scores have one row per key, one lane
// per query. So sums and maxima over keys need no shuffles, keys and values are read as they lie,
// and the scores of a block of keys stay in the first-level cache from the product that makes them
// to the one that reads them. A strip is what one panel of a product holds.
template <class T>
constexpr std::int64_t kStrip = kPanelColumns<T>;

// How many of the `keys` keys from s0 on are seen by any query of the strip that starts at q0.
template <class T>
std::int64_t visible_keys(const AttentionHead<T>& head, std::int64_t q0, std::int64_t s0,
                          std::int64_t keys) {
  if (!head.causal) return keys;
  return std::clamp<std::int64_t>(q0 + kStrip<T> - s0, 0, keys);
}

// Adds the mask, and sets to -inf what the causal order hides.
template <class T>
void hide(const AttentionHead<T>& head, std::int64_t q0, std::int64_t s0, std::int64_t visible,
          T* scores) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  if (head.mask != nullptr) {
    const std::int64_t queries = std::min(kStrip<T>, head.queries - q0);
    for (std::int64_t i = 0; i < queries; ++i) {
      const T* mask = head.mask + (q0 + i) * head.mask_row + s0 * head.mask_column;
      for (std::int64_t j = 0; j < visible; ++j) {
        scores[j * kStrip<T> + i] += mask[j * head.mask_column];
      }
    }
  }
  if (!head.causal) return;
  for (std::int64_t j = std::max<std::int64_t>(0, q0 + 1 - s0); j < visible; ++j) {
    std::fill_n(scores + j * kStrip<T>, s0 + j - q0, kLowest);
  }
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
