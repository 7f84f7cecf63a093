#pragma once

#include <gradmill/graph/value.h>

#include <cstdint>
#include <string>

namespace gradmill {

/// Every `step`-th element of [start, end) along `axis`: y[.., j, ..] = x[.., start + j step, ..],
/// any dtype. `x[start:end:step]` of NumPy and PyTorch: a negative `start` or `end` counts from the
/// end of the axis, and what is still outside of it is clamped, so that the largest number stands
/// for "to the end". A negative `axis` counts from the end as well.
///
/// The gradient is the upstream placed where it came from, and zeros elsewhere.
///
/// Throws Error for an axis out of range, a step below 1, and a slice without elements, since no
/// Shape has a size of 0.
GRADMILL_API Value slice(Value x, int axis, std::int64_t start, std::int64_t end,
                         std::int64_t step = 1, std::string name = {});

}  // namespace gradmill
