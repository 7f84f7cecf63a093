#pragma once

// The vector loops of attention: a block of queries of one head.

#include <cstddef>
#include <cstdint>

#include <gradmill/ops/attention/head.h>
#include <gradmill/ops/tiles/block_layout.h>

namespace gradmill {

inline constexpr std::int64_t kAttentionQueries = 128;  ///< of a tile

/// What the scratch of a tile is divided into.
template <class T>
struct AttentionScratch {
  AttentionScratch(std::int64_t width, std::int64_t value_width)
      : queries(layout.add<T>(kAttentionQueries * attention_padded(width))),
        sums(layout.add<T>(kAttentionQueries * attention_padded(value_width))),
        maxima(layout.add<T>(kAttentionQueries)),
        totals(layout.add<T>(kAttentionQueries)),
        keys(layout.add<T>(kAttentionKeys * attention_padded(width))),
        values(layout.add<T>(kAttentionKeys * attention_padded(value_width))),
        scores(layout.add<T>(kAttentionKeys * kAttentionStrip)),
        factors(layout.add<T>(kAttentionStrip)) {}

  BlockLayout layout;
  BlockPart<T> queries, sums, maxima, totals, keys, values, scores, factors;
};

/// The queries [first, last), at most kAttentionQueries of them: results and statistics.
void attention_forward(const AttentionHead<float>& head, std::int64_t first, std::int64_t last,
                       float* result, float* statistics, std::byte* scratch);
void attention_forward(const AttentionHead<double>& head, std::int64_t first, std::int64_t last,
                       double* result, double* statistics, std::byte* scratch);

}  // namespace gradmill
