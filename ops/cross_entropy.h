#pragma once

#include <cstdint>
#include <string>

#include <gradmill/graph/value.h>
#include <gradmill/ops/reduction.h>

namespace gradmill {

struct CrossEntropyOptions {
  Value weight = {};                 ///< of each class, [C], of the logits' dtype; null for ones
  std::int64_t ignore_index = -100;  ///< rows with this label count for nothing
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0.0;  ///< in [0, 1]: the part of each target that goes to all classes
};

/// `torch.nn.functional.cross_entropy`: `logits` z are [B, C] or [B, C, d1, ...], f32 or f64. A row
/// is what lies along C; there are R = B d1 ... of them. `targets` are labels, i64 [B] or [B, d1,
/// ...], or probabilities of the classes, of the logits' shape and dtype. The result is a scalar,
/// or [B] or [B, d1, ...] with `Reduction::none`, of the logits' dtype.
///
/// A row's target is t_j = [j = label], or its probabilities. With e = label_smoothing, it counts
/// as q_j = w_j ((1 - e) t_j + e / C), and its loss is
///   l = sum_j q_j (log s + m - z_j),   m = max_j z_j,   s = sum_j exp(z_j - m),
/// since -log softmax(z)_j = log s + m - z_j. The rows' losses are added up for `sum`, and for
/// `mean` divided by the sum of w_label over the rows that are not ignored, or by R where targets
/// are probabilities. Where every row is ignored, the mean is NaN (0 / 0).
///
/// The gradient. d(log s + m) / dz_k = exp(z_k - m) / s = p_k, so with Q = sum_j q_j
///   dl / dz_k = sum_j q_j (p_k - [j = k]) = p_k Q - q_k,
/// times g = upstream / divisor: [B, C] like the logits, for a plain label (p - one_hot) g. For
/// probabilities also dl / dt_k = -w_k (1 - e) log p_k. `weight` and labels have no gradient, and
/// asking for that of `weight` is an error.
///
/// Why it is one op: log(softmax(z)) is -inf once a p underflows (f32: 104 below the largest) and
/// loses digits long before, while log s + m - z_label is exact for finite logits of any size; and
/// softmax, one-hot, log, product and mean would each be a pass over [B, C]. Here, loss and
/// gradient of a training step are one node that reads the logits once and writes the gradient
/// once, over the logits where nothing else reads them. Otherwise one number per row is kept for
/// the backward pass. Small losses keep their digits: where the label's logit is the largest, the
/// loss is log1p of the other terms' sum, and the gradient at the label is made from the same sum,
/// not from p - 1.
///
/// Rows with -inf entries are fine (the loss is infinite when the label's is one); a class that
/// counts for nothing, q_j = 0, adds nothing even then, where PyTorch has 0 * inf = NaN. A row of
/// -inf only, or with +inf or NaN, gives NaN, as in PyTorch, unless all q_j are 0: then its loss is
/// 0. Ignored rows give 0, loss and gradient, whatever is in them. Zero rows or classes do not
/// exist: no Shape has a size of 0.
///
/// Throws Error when shapes or dtypes do not fit, when label_smoothing is not in [0, 1], and for
/// probabilities with ignore_index >= 0. The run throws Error when a label is neither in [0, C) nor
/// ignore_index, naming the first such row and its label.
///
/// C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, sec.
/// 7, for label smoothing.
GRADMILL_API Value cross_entropy(Value logits, Value targets,
                                 const CrossEntropyOptions& options = {}, std::string name = {});

}  // namespace gradmill
