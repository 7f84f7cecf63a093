#pragma once

#include <vector>

#include <gradmill/runtime/plan.h>

namespace gradmill {

/// A plan, and where to find the ends of its graph in it.
struct GraphPlan {
  Plan plan;
  std::vector<int> roots;   ///< one per root: its buffer
  std::vector<int> inputs;  ///< one per input: its buffer, or -1 when no step reads it
};

}  // namespace gradmill
