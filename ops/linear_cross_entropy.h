#pragma once

#include <cstdint>
#include <string>

#include <gradmill/graph/value.h>
#include <gradmill/ops/reduction.h>

namespace gradmill {

struct LinearCrossEntropyOptions {
  Value bias = {};  ///< [C], of x's dtype; null for none
  Reduction reduction = Reduction::mean;
  std::int64_t ignore_index = -100;  ///< rows with this label count for nothing
  double label_smoothing = 0.0;  ///< in [0, 1]: the part of each target that goes to all classes
};

/// `cross_entropy(linear(x, weight, bias), targets)` without the logits: `x` is [N, D] or [..., D],
/// f32 or f64, `weight` [C, D] as in `linear`, perhaps an embedding's, `targets` are labels, i64
/// [N] or [...]. The result is a scalar, or of the targets' shape with `Reduction::none`, of x's
/// dtype. Loss, options, infinities and NaN are as in `cross_entropy`.
///
/// With Z = X W^T + b, rows of logits, and G their gradient as `cross_entropy` has it,
///   dX = G W,   dW = G^T X,   db = sum of G's rows.
/// A row of Z is all that its loss and its row of G depend on. So one node goes through blocks of
/// rows: it makes a block of Z, turns that into the block of G in place, and multiplies it with W
/// and X. These are three products in all, as without it, while a block of at most 64 MB is in
/// memory instead of Z and G: for 1024 x 50257 logits and D = 768, 51 MB and 13 MB of partial sums
/// rather than 206 MB. Up to 8 MB of logits are one block. This is a training step's node; where
/// what flows back into the loss depends on the loss itself, one number per row is kept and a node
/// of the backward pass makes the logits again. Only the gradients that are needed are made.
///
/// Its gradient can be differentiated again; that is composed of `linear` and `cross_entropy`, and
/// has all logits in memory.
///
/// Throws Error when shapes or dtypes do not fit, and when label_smoothing is not in [0, 1]. The
/// run throws Error when a label is neither in [0, C) nor ignore_index, naming the first such row
/// and its label.
GRADMILL_API Value linear_cross_entropy(Value x, Value weight, Value targets,
                                        const LinearCrossEntropyOptions& options = {},
                                        std::string name = {});

}  // namespace gradmill
