#pragma once

#include <gradmill/graph/value.h>

#include <string>

namespace gradmill {

/// `x` repeated along new leading axes and along its axes of size 1, as `torch.broadcast_to`: the
/// sizes of x, aligned at the last axis, must be 1 or those of `shape`. Any dtype. The gradient
/// sums over the repeated axes. Throws Error when the sizes do not fit.
GRADMILL_API Value broadcast_to(Value x, Shape shape, std::string name = {});

}  // namespace gradmill
