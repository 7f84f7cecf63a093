#pragma once

#include <vector>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/parameters.h>
#include <gradmill/runtime/plan.h>

namespace gradmill {

/// A plan and where to find things in it.
struct Compiled {
  Plan plan;
  /// One a root: its buffer.
  std::vector<int> roots;
  /// One a node of the graph: the buffer of an input that some step reads or a root is, else -1.
  std::vector<int> feeds;
};

struct CompileOptions {
  bool check_finite = false;
  const Tuning* tuning = nullptr;
};

/// Prepares every node's kernel, derives the edges, and plans memory. Variables are found in
/// `parameters`, which must outlive the plan. Throws Error when a kernel cannot be made.
GRADMILL_API Compiled compile(const Graph& graph, const std::vector<Value>& roots,
                              const Parameters& parameters, const CompileOptions& options);

}  // namespace gradmill
