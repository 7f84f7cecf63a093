#pragma once

// The vector loops of cross-entropy for rows whose gradient is too large for the caches.

#include <cstdint>

#include <gradmill/ops/cross_entropy/target.h>

namespace gradmill {

/// As row_loss_and_gradient, but the gradient is written past the caches, in which it would not
/// stay; the row behind `z` is fetched meanwhile. `exps` is scratch of n elements; `dz` is not `z`.
/// What was streamed is there for other threads after `finish_streaming`.
LineLoss<float> row_loss_and_streamed_gradient(const float* z, std::int64_t n,
                                               const LineTarget<float>& target, float scale,
                                               float* exps, float* dz);
LineLoss<double> row_loss_and_streamed_gradient(const double* z, std::int64_t n,
                                                const LineTarget<double>& target, double scale,
                                                double* exps, double* dz);
void finish_streaming();

}  // namespace gradmill
