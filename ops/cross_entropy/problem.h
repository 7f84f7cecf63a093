#pragma once

// What a node of the cross-entropy family computes, as plain data.

#include <cstdint>
#include <span>
#include <string>

#include <gradmill/ops/reduction.h>
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

/// "reduction=mean ignore_index=-100 label_smoothing=0": for the attributes of an op.
std::string to_string(const CrossEntropySettings& settings);

/// Whether the loss is one number, not one per line.
bool is_reduced(Reduction reduction);

/// What the sum of the lines' losses is divided by. For a mean over labels, `label_totals` are the
/// sums of what each counts, by tiles: they are added up in order.
double loss_divisor(const CrossEntropySettings& settings, std::int64_t lines,
                    std::span<const double> label_totals);

/// What one node computes. Its inputs are those of the op (logits, targets, the weight if there is
/// one), then what is listed here.
enum class CrossEntropyParts : std::uint8_t {
  loss,               ///< loss, and LineLoss::other_terms for each line
  gradient,           ///< from other_terms and upstream: the gradient of the logits
  loss_and_gradient,  ///< from upstream: loss, gradient of the logits
};
bool has_loss(CrossEntropyParts parts);
bool has_gradient(CrossEntropyParts parts);
/// "loss", "gradient", "loss and gradient".
std::string to_string(CrossEntropyParts parts);

struct CrossEntropyProblem {
  CrossEntropyParts parts = CrossEntropyParts::loss;
  CrossEntropySettings settings;
  Type logits;
  Shape lines;           ///< the logits' without the classes: [B, d1, ...]
  bool subtract = true;  ///< false: the gradient's first term, p Q, alone
};

}  // namespace gradmill
