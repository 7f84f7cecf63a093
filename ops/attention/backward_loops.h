#pragma once

// The vector loops of attention's gradient: some keys of one head.

#include <cstddef>
#include <cstdint>

#include <gradmill/ops/attention/head.h>
#include <gradmill/ops/tiles/block_layout.h>

namespace gradmill {

inline constexpr std::int64_t kAttentionBackwardQueries = 64;  ///< that are worked on at once

/// What the scratch of a tile is divided into.
template <class T>
struct AttentionBackwardScratch {
  AttentionBackwardScratch(std::int64_t width, std::int64_t value_width) {
    const std::int64_t e = attention_padded(width);
    const std::int64_t v = attention_padded(value_width);
    for (auto* part : {&query_strips, &query_panels}) {
      *part = layout.add<T>(kAttentionBackwardQueries * e);
    }
    for (auto* part : {&upstream_strips, &upstream_panels}) {
      *part = layout.add<T>(kAttentionBackwardQueries * v);
    }
    for (auto* part : {&maxima, &reciprocals, &dots}) {
      *part = layout.add<T>(kAttentionBackwardQueries);
    }
    for (auto* part : {&scores, &gradients}) {
      *part = layout.add<T>(kAttentionBackwardQueries * kAttentionKeys);
    }
    for (auto* part : {&keys, &key_panels, &key_sums}) *part = layout.add<T>(kAttentionKeys * e);
    for (auto* part : {&values, &value_sums}) *part = layout.add<T>(kAttentionKeys * v);
  }

  BlockLayout layout;
  // A block of queries, and the upstream, the numbers and do . o of each.
  BlockPart<T> query_strips, query_panels, upstream_strips, upstream_panels;
  BlockPart<T> maxima, reciprocals, dots;
  // Of that block and a block of keys: p and ds.
  BlockPart<T> scores, gradients;
  // The block of keys, and the sums that become their gradients.
  BlockPart<T> keys, key_panels, key_sums, values, value_sums;
};

/// The keys [first, last): the gradients of their keys and values, and what they give to those of
/// the queries that see any of them, without the scale: rows of attention_padded(width) elements,
/// as many as attention_padded(queries). `first` is a multiple of kAttentionKeys.
void attention_backward(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                        float* query_sums, float* key_gradient, float* value_gradient,
                        std::byte* scratch);
void attention_backward(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                        double* query_sums, double* key_gradient, double* value_gradient,
                        std::byte* scratch);

}  // namespace gradmill
