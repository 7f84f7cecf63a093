#pragma once

#include <string>

#include <gradmill/graph/value.h>

namespace gradmill {

/// The mean over rows of -log softmax(logits)[label]: `logits` [B, C] f32 or f64, `labels` [B] i64,
/// result a scalar of the logits' dtype. `torch.nn.functional.cross_entropy` with its defaults.
///
/// With m = max_j z_j and s = sum_j exp(z_j - m), a row's loss is log s + m - z_label, and its
/// gradient dz_j = (exp(z_j - m) / s - [j = label]) * upstream / B: neither softmax nor one-hot is
/// ever stored. Where it is a training loss, loss and gradient are one node that reads the logits
/// once and writes the gradient once, over the logits where nothing else reads them. Otherwise one
/// number a row, s, is kept for the backward pass.
///
/// Exact for finite logits of any size, and for rows with -inf entries (an infinite loss when the
/// label's is one). A row of -inf only gives NaN, as in PyTorch.
///
/// Throws Error when the shapes or dtypes do not fit; the run throws Error when a label is not in
/// [0, C), naming the first such row and its label.
GRADMILL_API Value cross_entropy(Value logits, Value labels, std::string name = {});

}  // namespace gradmill
