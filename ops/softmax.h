#pragma once

#include <gradmill/graph/value.h>

#include <string>

namespace gradmill {

/// y_i = exp(x_i - m) / s along `axis`, with m = max_j x_j and s = sum_j exp(x_j - m); any rank
/// from 1, f32 or f64, the result of x's shape.
///
/// The gradient. Since d(exp(x_i - m) / s) / dx_k = y_i ([i = k] - y_k), an upstream dy gives
///   dx_k = sum_i dy_i y_i ([i = k] - y_k) = y_k (dy_k - sum_i dy_i y_i),
/// of x's shape, the sum along `axis`. It needs y alone, not x.
///
/// Finite for all finite inputs, since no exponent is above 0 and s is at least 1, and 0 for
/// entries of -inf. A row with nothing but -inf, or with +inf or NaN, is NaN, as in PyTorch. The
/// relative error of y_i is at most about m - x_i + n roundings, down to the denormal numbers. Zero
/// elements do not exist: no Shape has a size of 0.
///
/// Throws Error for a dtype that is not floating and an axis out of range. For a loss use
/// `cross_entropy`, which stores no probabilities.
GRADMILL_API Value softmax(Value x, int axis = -1, std::string name = {});

/// y_i = x_i - m - log s along `axis`: the logarithm of `softmax`, without its underflow; the same
/// rules. Right wherever the true value can be represented: x_i - m is at most 0 and log s at least
/// 0, so nothing cancels, and where one element is the largest, log s is log1p of the other terms'
/// sum. -inf for entries of -inf.
///
/// The gradient. Since d(m + log s) / dx_k = exp(x_k - m) / s = exp(y_k),
///   dx_k = sum_i dy_i ([i = k] - exp(y_k)) = dy_k - exp(y_k) sum_i dy_i.
GRADMILL_API Value log_softmax(Value x, int axis = -1, std::string name = {});

}  // namespace gradmill
