#pragma once

#include <cstddef>
#include <limits>
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
  /// Steps are kept from running ahead of others as far as the plan's arena needs for so many
  /// bytes.
  std::size_t arena_budget = std::numeric_limits<std::size_t>::max();
};

/// Prepares every node's kernel, derives the edges, and plans memory. Variables are found in
/// `parameters`, which must outlive the plan. Throws Error when a kernel cannot be made.
GRADMILL_API Compiled compile(const Graph& graph, const std::vector<Value>& roots,
                              const Parameters& parameters, const CompileOptions& options);

}  // namespace gradmill
