#pragma once

// The sum over axes and the repetition along axes. Each is the other's gradient, so that both are
// one pair of files; what users call is in ops/reduce.h and ops/broadcast.h.

#include <string>
#include <vector>

#include <gradmill/graph/value.h>
#include <gradmill/ops/reduce/kernel.h>
#include <gradmill/ops/reduce/loops.h>

namespace gradmill {

inline constexpr ReduceFunction kSum = {
    .name = "sum", .f32 = {sum_row, sum_columns}, .f64 = {sum_row, sum_columns}};

/// Adds a sum over `axes` to the graph of x.
Value add_sum(Value x, std::vector<int> axes, bool keepdim, std::string name);

/// Adds x, repeated to `shape`.
Value add_broadcast(Value x, Shape shape, std::string name);

/// Sums `grad` over the axes along which `shape` was broadcast to it, as a gradient does. Returns
/// `grad` itself where nothing was.
Value unbroadcast(Value grad, const Shape& shape);

}  // namespace gradmill
