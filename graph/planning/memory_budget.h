#pragma once

#include <cstddef>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/parameters.h>
#include <gradmill/graph/passes/ends.h>
#include <gradmill/graph/planning/graph_plan.h>
#include <gradmill/graph/planning/prepared_kernels.h>

namespace gradmill {

/// What a plan takes altogether, in bytes.
struct PlannedBytes {
  std::size_t variables = 0;  ///< parameters and optimizer state
  std::size_t arena = 0;
  std::size_t scratch = 0;  ///< of all threads
  std::size_t total() const { return variables + arena + scratch; }
};

GRADMILL_API PlannedBytes planned_bytes(const Plan& plan, int threads);

/// A plan that takes at most `budget` bytes on so many threads, for which steps are kept from
/// running ahead and nodes are computed a second time (`graph` and `ends` are then changed as
/// `recompute` does). Groups of like nodes are taken by the bytes that they no longer keep for the
/// time they cost, as long as the plan gets smaller by it, and of the last ones no more than
/// needed. Throws Error when nothing fits, with the smallest budget that does.
GraphPlan place_within(Graph& graph, Ends& ends, const Parameters& parameters,
                       PreparedKernels& kernels, bool check_finite, std::size_t budget,
                       int threads);

}  // namespace gradmill
