#pragma once

#include <memory>
#include <span>
#include <vector>

#include <gradmill/graph/optimizer.h>
#include <gradmill/graph/value.h>

namespace gradmill {

/// Clips by global norm: `torch.nn.utils.clip_grad_norm_` with norm_type 2. All gradients are
/// multiplied by
///   min(1, max_norm / (norm + 1e-6)),  norm = sqrt(sum of the squares of all their elements),
/// and the norm is of the whole step's gradient where it has several micro-batches. A norm that is
/// not finite makes what it scales not finite, as with PyTorch's error_if_nonfinite = false.
/// Converting throws Error for a max_norm that is not finite or not above 0.
struct ClipGradNorm {
  double max_norm = 1.0;

  // NOLINTNEXTLINE(google-explicit-constructor): options read as what they describe
  GRADMILL_API operator std::shared_ptr<const GradientScaling>() const;
};

struct ClippedGradients {
  std::vector<Value> gradients;  ///< as given, scaled
  Value norm;                    ///< a scalar, before clipping
};

/// The same to values of a graph, of one dtype (f32 or f64) and any shapes. The factor counts as a
/// constant in gradients, as it does in PyTorch, which computes it under `no_grad`. Throws Error
/// for no gradients, another dtype, or a max_norm that is not finite or not above 0.
GRADMILL_API ClippedGradients clip_grad_norm(std::span<const Value> gradients, double max_norm);

}  // namespace gradmill
