#pragma once

#include <string>

#include <gradmill/graph/value.h>

namespace gradmill {

/// The fraction of rows whose largest logit is the label's: `logits` [B, C] f32 or f64, `labels`
/// [B] i64, result a scalar of the logits' dtype. The first of equal maxima counts, and NaN is
/// larger than any number, as in `torch.argmax`. Has no gradient.
///
/// Throws Error when the shapes or dtypes do not fit; the run throws Error when a label is not in
/// [0, C), naming the first such row and its label.
GRADMILL_API Value accuracy(Value logits, Value labels, std::string name = {});

}  // namespace gradmill
