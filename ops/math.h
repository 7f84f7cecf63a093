#pragma once

#include <gradmill/graph/value.h>

#include <string>

namespace gradmill {

/// Functions of each element of `x` (any shape, f32 or f64), within 4 units in the last place over
/// their whole range. NaN gives NaN; infinities and arguments outside a domain give what the C++
/// function of that name gives. Each throws Error for a dtype that is not floating.

/// e^x; dx = dy y.
GRADMILL_API Value exp(Value x, std::string name = {});
/// The natural logarithm, -inf at 0 and NaN below; dx = dy / x.
GRADMILL_API Value log(Value x, std::string name = {});
/// The square root, NaN below 0; dx = dy / (2 y).
GRADMILL_API Value sqrt(Value x, std::string name = {});
/// The hyperbolic tangent; dx = dy (1 - y^2).
GRADMILL_API Value tanh(Value x, std::string name = {});
/// 1 / (1 + e^-x); dx = dy y (1 - y).
GRADMILL_API Value sigmoid(Value x, std::string name = {});

}  // namespace gradmill
