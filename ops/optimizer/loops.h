#pragma once

// The vector loops of the optimizers, one pass over parameter, gradient and state.

#include <cstdint>

namespace gradmill {

/// The numbers of one SGD step, rounded once.
struct SgdStep {
  double learning_rate;
  double momentum;
  double weight_decay;
  bool nesterov;
};

/// Rows of a parameter. The state has the parameter's stride; the gradient may have another.
struct UpdateRows {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t stride;           ///< from row to row, in elements
  std::int64_t gradient_stride;  ///< the gradient's
};

/// `buffer` is null without momentum.
void sgd_update(const SgdStep& step, const UpdateRows& rows, float* p, const float* g,
                float* buffer);
void sgd_update(const SgdStep& step, const UpdateRows& rows, double* p, const double* g,
                double* buffer);

/// The numbers of one AdamW step.
struct AdamWStep {
  double decay;  ///< 1 - lr * weight_decay
  double beta1;
  double beta2;
  double step_size;        ///< lr / (1 - beta1^t)
  double root_correction;  ///< sqrt(1 - beta2^t)
  double eps;
};

void adamw_update(const AdamWStep& step, const UpdateRows& rows, float* p, const float* g, float* m,
                  float* v);
void adamw_update(const AdamWStep& step, const UpdateRows& rows, double* p, const double* g,
                  double* m, double* v);

}  // namespace gradmill
