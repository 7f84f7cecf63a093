#pragma once

#include <gradmill/runtime/plan.h>

namespace gradmill {

/// The longest chain of steps, weighted by nothing (in steps) and by FLOPs.
struct LongestPath {
  int steps = 0;
  double flops = 0;  ///< along the path with the most FLOPs
};
GRADMILL_API LongestPath longest_path(const Plan& plan);

}  // namespace gradmill
