#pragma once

#include <vector>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/planning/precedence.h>
#include <gradmill/runtime/plan.h>

namespace gradmill {

/// The order in which nodes become steps: inputs before readers, an update after every other reader
/// of what it writes and after every fallible node (with `all_fallible`, after every node that is
/// no update). Depends on the graph alone.
GRADMILL_API std::vector<int> execution_order(const Nodes& nodes, bool all_fallible = false);

/// Fills in `predecessors` from what steps read and write: a reader follows the last writer, a
/// writer follows the last writer and all readers since, in the order of `steps`; and every step
/// that writes a variable follows every fallible one before it. Edges that others imply are left
/// out, as far as they can be told. Returns what precedes what.
GRADMILL_API Precedence derive_predecessors(Plan& plan);

}  // namespace gradmill
