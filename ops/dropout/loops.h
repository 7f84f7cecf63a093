#pragma once

// The vector loops of dropout.

#include <cstdint>

namespace gradmill {

/// Elements that are served at once, from eight counters.
inline constexpr std::int64_t kDropoutGroup = 32;

/// What decides which elements are kept; see `dropout`.
struct DropoutMask {
  std::uint64_t key;
  std::uint64_t stream;        ///< the upper half of the counter
  std::uint32_t last_dropped;  ///< the largest word that drops an element
};

/// y[i] = kept ? x[i] * scale : 0 for i < n, where x[0] is element `begin` of the whole, a multiple
/// of kDropoutGroup. y may be x.
void apply_dropout(const DropoutMask& mask, double scale, std::int64_t begin, const float* x,
                   float* y, std::int64_t n);
void apply_dropout(const DropoutMask& mask, double scale, std::int64_t begin, const double* x,
                   double* y, std::int64_t n);

}  // namespace gradmill
