#pragma once

// Internal: the vector loops of cross-entropy, one row of logits at a time.

#include <cstdint>

namespace gradmill {

/// The parts of one row's loss: with m = max_j z_j, the row's loss is log(sum) - label_offset.
template <class T>
struct RowLoss {
  T sum;           ///< sum_j exp(z_j - m)
  T label_offset;  ///< z_label - m
};

RowLoss<float> row_loss(const float* z, std::int64_t n, std::int64_t label);
RowLoss<double> row_loss(const double* z, std::int64_t n, std::int64_t label);

/// The same, and the gradient dz_j = (exp(z_j - m) / sum - [j = label]) * scale; `dz` may be `z`.
RowLoss<float> row_loss_and_gradient(const float* z, std::int64_t n, std::int64_t label,
                                     float scale, float* dz);
RowLoss<double> row_loss_and_gradient(const double* z, std::int64_t n, std::int64_t label,
                                      double scale, double* dz);

/// The gradient alone, from a `sum` that is known; `dz` may be `z`.
void row_gradient(const float* z, std::int64_t n, std::int64_t label, float sum, float scale,
                  float* dz);
void row_gradient(const double* z, std::int64_t n, std::int64_t label, double sum, double scale,
                  double* dz);

}  // namespace gradmill
