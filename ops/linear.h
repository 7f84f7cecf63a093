#pragma once

#include <cstdint>
#include <string>

#include <gradmill/graph/value.h>

namespace gradmill {

struct LinearOptions {
  bool bias = true;
};

/// y = x W^T + b over the last axis of `x` [..., in] -> [..., out_features].
///
/// Declares the parameters `name.weight` [out_features, in] and, with bias, `name.bias`
/// [out_features], of x's dtype, initialized as PyTorch's `nn.Linear`: U(-1/sqrt(in), 1/sqrt(in)).
/// Throws Error when `name` is empty or its parameters exist, for rank 0, a dtype that is not
/// floating, or out_features < 1.
GRADMILL_API Value linear(Value x, std::int64_t out_features, const std::string& name,
                          const LinearOptions& options = {});

/// The same with a given weight [out, in] and bias [out] (null for none), for shared weights.
GRADMILL_API Value linear(Value x, Value weight, Value bias = {}, const std::string& name = {});

}  // namespace gradmill
