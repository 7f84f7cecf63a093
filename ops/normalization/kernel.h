#pragma once

// Internal: the kernels of layer_norm and rms_norm.

#include <cstdint>
#include <memory>
#include <vector>

#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

struct NormSettings {
  bool centered;  ///< layer_norm, or rms_norm
  std::vector<std::int64_t> sizes;
  double eps;
  bool weighted;
  bool biased;
};

/// Which gradients a backward node computes.
struct NormWanted {
  bool x;
  bool weight;
  bool bias;
};

/// Inputs: x, weight and bias where there are any. Outputs: y, rstd, and mean where there is one.
/// A row has n elements.
std::unique_ptr<Kernel> make_norm(const NormSettings& settings, const Type& x, std::int64_t n);

/// Inputs: dy, x, rstd, mean where there is one, weight where there is one. Outputs: those wanted
/// of dx, dweight, dbias.
std::unique_ptr<Kernel> make_norm_backward(const NormSettings& settings, NormWanted wanted,
                                           const Type& x, std::int64_t n);

}  // namespace gradmill
