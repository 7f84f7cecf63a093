#pragma once

#include <vector>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/passes/ends.h>

namespace gradmill {

/// Which nodes of a graph could be computed a second time: ops of the forward phase that write to
/// nothing of their own and cannot fail, and are more than another name for the same bytes.
std::vector<bool> recomputable(const Graph& graph);

/// Replaces the nodes of `graph`: what the backward and the update phase read of a node in `again`
/// (one per node) they read of a copy of it, which stands right before the first of them, and is
/// computed from copies where its inputs are in `again`, too. Results have the same bits. The nodes
/// are then in the order in which they become steps; `ends` follow them. Returns for each new node
/// the number of the one that it is, or is a copy of.
///
/// T. Chen et al., "Training deep nets with sublinear memory cost", 2016.
std::vector<int> recompute(Graph& graph, Ends& ends, const std::vector<bool>& again);

/// Bytes that are kept from the forward phase for the others when the nodes in `again` are computed
/// a second time.
double kept_bytes(const Graph& graph, const std::vector<bool>& again);

}  // namespace gradmill
