#pragma once

#include <cstddef>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/parameters.h>
#include <gradmill/graph/passes/ends.h>
#include <gradmill/graph/planning/graph_plan.h>

namespace gradmill {

struct CompileOptions {
  bool check_finite = false;
  const Tuning* tuning = nullptr;
  std::size_t memory_budget = 0;  ///< as in SessionOptions; 0 for none
  int threads = 1;                ///< for which the budget must do
};

/// Lowers and places a graph. For a budget, nodes may be computed a second time: `graph` and `ends`
/// are then changed as `recompute` does. Variables are found in `parameters`, which must outlive
/// the plan. Throws Error when a kernel cannot be made, or a budget not be met.
GRADMILL_API GraphPlan compile(Graph& graph, Ends& ends, const Parameters& parameters,
                               const CompileOptions& options);

}  // namespace gradmill
