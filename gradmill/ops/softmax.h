#pragma once

#include <gradmill/graph/value.h>

#include <string>

namespace gradmill {

/// exp(x_i - m) / s along `axis`, with m = max_j x_j and s = sum_j exp(x_j - m); f32 or f64.
///
/// Finite for all finite inputs, and 0 for entries of -inf. A row with nothing but -inf, or with
/// +inf or NaN, is NaN, as in PyTorch. The gradient is dx = y (dy - sum_j y_j dy_j).
///
/// Throws Error for a dtype that is not floating and an axis out of range. For a loss use
/// `cross_entropy`, which stores no probabilities.
GRADMILL_API Value softmax(Value x, int axis = -1, std::string name = {});

/// x_i - m - log s along `axis`: the logarithm of `softmax`, without its underflow; the same rules.
/// The gradient is dx = dy - exp(y) sum_j dy_j.
GRADMILL_API Value log_softmax(Value x, int axis = -1, std::string name = {});

}  // namespace gradmill
