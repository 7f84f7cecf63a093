#pragma once

// The kernels of layer_norm and rms_norm.

#include <memory>

#include <gradmill/ops/normalization/problem.h>
#include <gradmill/runtime/kernel.h>

namespace gradmill {

/// Inputs: x, weight and bias where there are any. Outputs: y, rstd, and mean where there is one.
std::unique_ptr<Kernel> make_norm(const NormProblem& problem);

/// Inputs: dy, x, rstd, mean where there is one, weight where there is one. Outputs: those wanted
/// of dx, dweight, dbias.
std::unique_ptr<Kernel> make_norm_backward(const NormProblem& problem, NormGradients wanted);

}  // namespace gradmill
