#pragma once

#include <vector>

#include <gradmill/graph/value.h>

namespace gradmill {

/// What a plan is made for and from: values of a graph that are followed while passes replace its
/// nodes.
struct Ends {
  std::vector<Value> roots = {};   ///< results that must be there after a run
  std::vector<Value> inputs = {};  ///< what is fed; null once nothing reads it
};

}  // namespace gradmill
