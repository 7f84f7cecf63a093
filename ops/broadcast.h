#pragma once

#include <gradmill/graph/value.h>

#include <string>

namespace gradmill {

/// `x` repeated along new leading axes and along its axes of size 1, as `torch.broadcast_to`: the
/// sizes of x, aligned at the last axis, must be 1 or those of `shape`. Any dtype. The gradient
/// sums over the repeated axes. Throws Error when the sizes do not fit.
GRADMILL_API Value broadcast_to(Value x, Shape shape, std::string name = {});

// Internal: used by ops that broadcast.

/// The shape of an elementwise result of `a` and `b` by NumPy's rule. Throws Error naming both.
GRADMILL_API Shape broadcast_shapes(const Shape& a, const Shape& b);

/// Sums `grad` over the axes along which `shape` was broadcast to it: the inverse of broadcast_to
/// for gradients. Returns `grad` itself where nothing was.
GRADMILL_API Value unbroadcast(Value grad, const Shape& shape);

}  // namespace gradmill
