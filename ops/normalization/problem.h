#pragma once

// Rows to normalize, as plain data.

#include <cstdint>

#include <gradmill/runtime/dtype.h>

namespace gradmill {

struct NormProblem {
  DType dtype = DType::f32;
  std::int64_t rows = 1;
  std::int64_t n = 1;     ///< elements of a row
  bool centered = false;  ///< layer_norm; otherwise rms_norm, which has no mean
  bool weighted = false;
  bool biased = false;
  double eps = 0;
};

/// Which gradients a backward node computes.
struct NormGradients {
  bool x = false;
  bool weight = false;
  bool bias = false;
};

}  // namespace gradmill
