#pragma once

// What a node of linear_cross_entropy computes, as plain data.

#include <cstdint>
#include <string>

#include <gradmill/ops/cross_entropy/problem.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// Which gradients there are to compute; each of them is an output, in this order.
struct LinearGradients {
  bool x = false;
  bool weight = false;
  bool bias = false;

  int count() const { return int{x} + int{weight} + int{bias}; }
};

/// Inputs: x, weight, targets, the bias if there is one, then what CrossEntropyParts lists.
/// Outputs: the loss and, for a loss alone, LineLoss::other_terms for each row; then the gradients.
struct LinearCrossEntropyProblem {
  CrossEntropyParts parts = CrossEntropyParts::loss;
  CrossEntropySettings settings;
  LinearGradients gradients;
  bool bias = false;
  Type x;         ///< [..., D]
  Shape targets;  ///< [...]
  std::int64_t classes;
};

}  // namespace gradmill
