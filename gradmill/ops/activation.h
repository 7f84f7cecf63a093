#pragma once

#include <gradmill/graph/value.h>

#include <string>

namespace gradmill {

/// max(x, 0), element by element, any shape, f32 or f64; NaN stays NaN. The gradient is 0 where
/// the result is 0 and dy elsewhere, as in PyTorch.
/// Throws Error for a dtype that is not floating.
GRADMILL_API Value relu(Value x, std::string name = {});

// Internal: used by gradients.

/// y <= 0 ? 0 : grad, in one pass: the gradient of `relu` from its result. One shape, one dtype.
GRADMILL_API Value relu_backward(Value grad, Value y, std::string name = {});

}  // namespace gradmill
