#pragma once

// Internal: the vector loops of the optimizers, one pass over parameter, gradient and state.

#include <cstdint>

namespace gradmill {

/// The numbers of one SGD step, rounded once.
struct SgdStep {
  double learning_rate;
  double momentum;
  double weight_decay;
  bool nesterov;
};

/// `buffer` is null without momentum.
void sgd_update(const SgdStep& step, float* p, const float* g, float* buffer, std::int64_t n);
void sgd_update(const SgdStep& step, double* p, const double* g, double* buffer, std::int64_t n);

/// The numbers of one AdamW step.
struct AdamWStep {
  double decay;  ///< 1 - lr * weight_decay
  double beta1;
  double beta2;
  double step_size;        ///< lr / (1 - beta1^t)
  double root_correction;  ///< sqrt(1 - beta2^t)
  double eps;
};

void adamw_update(const AdamWStep& step, float* p, const float* g, float* m, float* v,
                  std::int64_t n);
void adamw_update(const AdamWStep& step, double* p, const double* g, double* m, double* v,
                  std::int64_t n);

}  // namespace gradmill
