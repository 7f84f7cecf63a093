#pragma once

#include <gradmill/graph/value.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradmill {

/// The inputs one behind the other along `axis`, which may be negative; any dtype. `torch.cat`. The
/// gradients are slices of the upstream.
///
/// Throws Error without inputs, for inputs of several dtypes or ranks, or whose sizes differ on
/// another axis, naming both, and for an axis out of range.
GRADMILL_API Value concat(const std::vector<Value>& inputs, int axis = 0, std::string name = {});

/// The inverse: `x` cut along `axis`, any dtype, by one node with a result for each part. As
/// `torch.split`: parts of `split_size`, of which the last may be smaller, or of the given sizes.
/// The gradient is the upstreams one behind the other, with zeros for parts into which nothing
/// flows back.
///
/// Throws Error for an axis out of range, sizes below 1, and sizes that do not sum to the axis'.
GRADMILL_API std::vector<Value> split(Value x, std::int64_t split_size, int axis = 0,
                                      std::string name = {});
GRADMILL_API std::vector<Value> split(Value x, std::vector<std::int64_t> sizes, int axis = 0,
                                      std::string name = {});

}  // namespace gradmill
