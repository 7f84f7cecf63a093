#pragma once

// The vector loops of cross-entropy where the classes of a row lie side by side.

#include <cstdint>

#include <gradmill/ops/cross_entropy/target.h>

namespace gradmill {

/// The loss of the n logits at `z`.
LineLoss<float> row_loss(const float* z, std::int64_t n, const LineTarget<float>& target);
LineLoss<double> row_loss(const double* z, std::int64_t n, const LineTarget<double>& target);

/// The same, and the gradient dz_j = (p_j Q - q_j) * scale; `dz` may be `z`.
LineLoss<float> row_loss_and_gradient(const float* z, std::int64_t n,
                                      const LineTarget<float>& target, float scale, float* dz);
LineLoss<double> row_loss_and_gradient(const double* z, std::int64_t n,
                                       const LineTarget<double>& target, double scale, double* dz);

/// The gradient alone, from `other_terms` that are known; without `subtract` only p_j Q * scale.
/// `dz` may be `z`.
void row_gradient(const float* z, std::int64_t n, const LineTarget<float>& target,
                  float other_terms, float scale, bool subtract, float* dz);
void row_gradient(const double* z, std::int64_t n, const LineTarget<double>& target,
                  double other_terms, double scale, bool subtract, double* dz);

}  // namespace gradmill
