#pragma once

#include <gradmill/graph/value.h>

#include <string>

namespace gradmill {

/// a + b, a - b, a * b and a / b, element by element, f32 or f64.
///
/// Shapes broadcast as in NumPy: aligned at the last axis, sizes of one axis are equal or one of
/// them is 1 (or missing), and the result has the larger. Division by zero gives what IEEE 754
/// says. The gradient of an operand that was broadcast is summed over the axes along which it was.
///
/// Throws Error when the dtypes differ or are not floating, when the shapes do not broadcast, and
/// for values of two graphs.
GRADMILL_API Value add(Value a, Value b, std::string name = {});
GRADMILL_API Value sub(Value a, Value b, std::string name = {});
GRADMILL_API Value mul(Value a, Value b, std::string name = {});
GRADMILL_API Value div(Value a, Value b, std::string name = {});

/// The same with a number, rounded to the dtype of the other operand.
GRADMILL_API Value add(Value a, double b, std::string name = {});
GRADMILL_API Value sub(Value a, double b, std::string name = {});
GRADMILL_API Value mul(Value a, double b, std::string name = {});
GRADMILL_API Value div(Value a, double b, std::string name = {});
GRADMILL_API Value sub(double a, Value b, std::string name = {});
GRADMILL_API Value div(double a, Value b, std::string name = {});

/// -x, f32 or f64. Throws Error for another dtype.
GRADMILL_API Value neg(Value x, std::string name = {});

inline Value operator+(Value a, Value b) { return add(a, b); }
inline Value operator-(Value a, Value b) { return sub(a, b); }
inline Value operator*(Value a, Value b) { return mul(a, b); }
inline Value operator/(Value a, Value b) { return div(a, b); }
inline Value operator+(Value a, double b) { return add(a, b); }
inline Value operator-(Value a, double b) { return sub(a, b); }
inline Value operator*(Value a, double b) { return mul(a, b); }
inline Value operator/(Value a, double b) { return div(a, b); }
inline Value operator+(double a, Value b) { return add(b, a); }
inline Value operator-(double a, Value b) { return sub(a, b); }
inline Value operator*(double a, Value b) { return mul(b, a); }
inline Value operator/(double a, Value b) { return div(a, b); }
inline Value operator-(Value x) { return neg(x); }

}  // namespace gradmill
