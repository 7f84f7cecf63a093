#pragma once

// Internal: a linear layer and the cross-entropy of its logits as one kernel, which holds a block
// of rows of the logits at a time.

#include <cstdint>
#include <memory>
#include <string>

#include <gradmill/ops/cross_entropy/kernel.h>
#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/tensor.h>
#include <gradmill/runtime/tuning.h>

namespace gradmill {

/// Which gradients there are to compute; each that is there is an output, in this order.
struct LinearGradients {
  bool x = false;
  bool weight = false;
  bool bias = false;

  int count() const { return int{x} + int{weight} + int{bias}; }
};

/// Inputs: x, weight, targets, the bias if there is one, then what CrossEntropyParts lists.
/// Outputs: the loss and, for a loss alone, `rest` of LineLoss for each row; then the gradients.
struct LinearCrossEntropyProblem {
  CrossEntropyParts parts = CrossEntropyParts::loss;
  CrossEntropySettings settings;
  LinearGradients gradients;
  bool bias = false;
  Type x;         ///< [..., D]
  Shape targets;  ///< [...]
  std::int64_t classes;
  std::string name;  ///< of the node, for messages
};

std::unique_ptr<Kernel> make_linear_cross_entropy(const LinearCrossEntropyProblem& problem,
                                                  const Tuning* tuning);

}  // namespace gradmill
