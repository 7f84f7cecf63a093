#pragma once

// Internal: one head of attention, a block of queries or keys at a time, and the sizes of blocks.

#include <cstdint>

namespace gradmill {

/// A head's matrices, and how far it is from one row to the next in each.
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
  const T* mask = nullptr;  ///< null: none
  const T* result = nullptr;
  const T* upstream = nullptr;  ///< rows as in the result
  const T* numbers = nullptr;   ///< the rows' maxima, then their reciprocal sums
  std::int64_t query_row = 0;
  std::int64_t key_row = 0;
  std::int64_t value_row = 0;
  std::int64_t mask_row = 0;
  std::int64_t mask_column = 0;
  std::int64_t result_row = 0;
};

// Measured with heads of 64 on Zen 3: what a tile works on stays within a second-level cache of
// 512 KB.
inline constexpr std::int64_t kAttentionQueries = 128;         ///< of a forward tile
inline constexpr std::int64_t kAttentionKeys = 256;            ///< that are worked on at once
inline constexpr std::int64_t kAttentionBackwardQueries = 64;  ///< likewise, in the backward pass

/// Widths are padded to what is a multiple of every instruction set's strip, two vectors.
constexpr std::int64_t attention_padded(std::int64_t width) { return (width + 31) / 32 * 32; }

/// The elements of scratch that the two functions below need.
constexpr std::int64_t attention_scratch(std::int64_t width, std::int64_t value_width) {
  const std::int64_t e = attention_padded(width);
  const std::int64_t v = attention_padded(value_width);
  return kAttentionQueries * (e + v + 2) + kAttentionKeys * (e + v + 32) + 32;
}
constexpr std::int64_t attention_backward_scratch(std::int64_t width, std::int64_t value_width) {
  const std::int64_t e = attention_padded(width);
  const std::int64_t v = attention_padded(value_width);
  return kAttentionBackwardQueries * (2 * e + 2 * v + 2 * kAttentionKeys + 3) +
         kAttentionKeys * (3 * e + 2 * v);
}

/// The queries [first, last), at most kAttentionQueries of them: results and numbers.
void attention_forward(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                       float* result, float* numbers, float* scratch);
void attention_forward(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                       double* result, double* numbers, double* scratch);

/// The keys [first, last): the gradients of their keys and values, and what they give to those of
/// the queries that see any of them, without the scale: rows of attention_padded(width) elements,
/// as many as queries rounded up to 32. `first` is a multiple of kAttentionKeys.
void attention_backward(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                        float* query_sums, float* key_gradient, float* value_gradient,
                        float* scratch);
void attention_backward(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                        double* query_sums, double* key_gradient, double* value_gradient,
                        double* scratch);

}  // namespace gradmill
