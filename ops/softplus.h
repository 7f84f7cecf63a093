#pragma once

#include <gradmill/graph/value.h>

#include <string>

namespace gradmill {

struct SoftplusOptions {
  double beta = 1;        ///< how sharp the bend is: the larger, the closer to `relu`
  double threshold = 20;  ///< where beta x is above it, y = x
};

/// `torch.nn.functional.softplus`, a smooth max(x, 0), element by element, any shape, f32 or f64:
///   y = log(1 + e^(beta x)) / beta,   and y = x where beta x > threshold;
///   dx = dy / (1 + e^-(beta x)),      and dx = dy there, one pass over dy and x.
///
/// Within a few roundings everywhere: e^(beta x) never overflows, and y keeps its digits where it
/// is tiny. NaN gives NaN. Throws Error for a dtype that is not floating, a beta that is 0 or not
/// finite, and a threshold that is NaN.
GRADMILL_API Value softplus(Value x, const SoftplusOptions& options = {}, std::string name = {});

}  // namespace gradmill
