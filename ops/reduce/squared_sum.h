#pragma once

// The vector loop of norms.

#include <cstdint>

namespace gradmill {

/// The sum over i < n of (x[i] * share + before[i])^2, n >= 1; `before` may be null for zeros. The
/// products and sums are rounded as T's, summed by blocks, and blocks are summed in double
/// precision.
double squared_sum(const float* x, const float* before, float share, std::int64_t n);
double squared_sum(const double* x, const double* before, double share, std::int64_t n);

}  // namespace gradmill
