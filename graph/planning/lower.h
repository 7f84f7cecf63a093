#pragma once

#include <span>
#include <vector>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/parameters.h>
#include <gradmill/graph/passes/ends.h>
#include <gradmill/graph/planning/graph_plan.h>
#include <gradmill/graph/planning/in_place.h>
#include <gradmill/graph/planning/prepared_kernels.h>

namespace gradmill {

/// The steps and buffers of a graph. Which steps precede which, and where in memory the buffers
/// are, is not decided yet: that is for `place`.
struct Lowered {
  GraphPlan unplaced;
  std::vector<InPlaceWish> in_place;
};

/// Turns nodes into steps in their execution order. Variables are found in `parameters`, which must
/// outlive the plan. With `check_finite`, steps that check are added behind every floating result
/// and input. `origins` has one number per node, under which `kernels` knows it; without them, each
/// node has its own. Throws Error when a kernel cannot be made.
Lowered lower(const Graph& graph, const Ends& ends, const Parameters& parameters,
              PreparedKernels& kernels, bool check_finite, std::span<const int> origins = {});

}  // namespace gradmill
