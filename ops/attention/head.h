#pragma once

// One head of attention, as the vector loops see it.

#include <cstdint>

namespace gradmill {

/// A head's matrices, and the stride from one row to the next of each.
template <class T>
struct AttentionHead {
  std::int64_t queries = 1;
  std::int64_t keys = 1;
  std::int64_t width = 1;
  std::int64_t value_width = 1;
  bool causal = false;
  T scale = 1;
  const T* query = nullptr;
  const T* key = nullptr;
  const T* value = nullptr;
  const T* mask = nullptr;  ///< null for none
  const T* result = nullptr;
  const T* upstream = nullptr;    ///< rows as in the result
  const T* statistics = nullptr;  ///< the rows' maxima, then their reciprocal sums
  std::int64_t query_row = 0;
  std::int64_t key_row = 0;
  std::int64_t value_row = 0;
  std::int64_t mask_row = 0;
  std::int64_t mask_column = 0;
  std::int64_t result_row = 0;
};

/// Keys that are worked on at once. Measured with heads of 64 on Zen 3, as the statistics of
/// queries are: what a tile works on stays within a second-level cache of 512 KB.
inline constexpr std::int64_t kAttentionKeys = 256;

/// Widths are padded to a multiple of every instruction set's strip, which is two vectors.
inline constexpr std::int64_t kAttentionStrip = 32;
constexpr std::int64_t attention_padded(std::int64_t width) {
  return (width + kAttentionStrip - 1) / kAttentionStrip * kAttentionStrip;
}

}  // namespace gradmill
