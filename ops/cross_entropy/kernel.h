#pragma once

// Internal: cross-entropy as a kernel, forward, backward or both.

#include <cstdint>
#include <memory>
#include <string>

#include <gradmill/ops/cross_entropy.h>
#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// `CrossEntropyOptions` without the values of a graph, and what these are.
struct CrossEntropySettings {
  Reduction reduction = Reduction::mean;
  std::int64_t ignore_index = -100;
  double label_smoothing = 0;
  bool labels = true;     ///< targets are labels, not probabilities
  bool weighted = false;  ///< there is a weight for each class
};

/// "reduction=mean ignore_index=-100 label_smoothing=0": what attributes of an op name.
std::string to_string(const CrossEntropySettings& settings);

/// What one node computes. Its inputs are logits, targets, the weight if there is one, then what is
/// listed here.
enum class CrossEntropyParts : std::uint8_t {
  loss,               ///< loss, and `rest` of LineLoss for each line
  gradient,           ///< from rest and upstream: the gradient of the logits
  loss_and_gradient,  ///< from upstream: loss, gradient of the logits
};

struct CrossEntropyProblem {
  CrossEntropyParts parts = CrossEntropyParts::loss;
  CrossEntropySettings settings;
  Type logits;
  Shape lines;           ///< the logits' without the classes: [B, d1, ...]
  bool subtract = true;  ///< false: the gradient's first term, p Q, alone
  std::string name;      ///< of the node, for messages
};

std::unique_ptr<Kernel> make_cross_entropy(const CrossEntropyProblem& problem);

}  // namespace gradmill
