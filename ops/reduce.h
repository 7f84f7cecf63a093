#pragma once

#include <gradmill/graph/value.h>

#include <string>
#include <vector>

namespace gradmill {

/// Reductions over `axes` of `x` (any shape, f32 or f64); negative axes count from the end, and
/// none means all. The axes are dropped from the shape, or kept with size 1 where `keepdim` is set.
///
/// Fixed blocks are reduced each on its own and then combined in a fixed order: the bits depend on
/// the shape and the instruction set only, and rounding errors stay far below those of one running
/// sum.
///
/// Throws Error for a dtype that is not floating, and for an axis out of range or named twice.

/// The sum; dx = dy, repeated.
GRADMILL_API Value sum(Value x, std::vector<int> axes = {}, bool keepdim = false,
                       std::string name = {});
/// The sum divided by the number of elements; dx = dy / count, repeated.
GRADMILL_API Value mean(Value x, std::vector<int> axes = {}, bool keepdim = false,
                        std::string name = {});
/// The largest element; NaN when there is one. The gradient is shared evenly by all elements that
/// are equal to it, as in `torch.amax`.
GRADMILL_API Value max(Value x, std::vector<int> axes = {}, bool keepdim = false,
                       std::string name = {});

}  // namespace gradmill
