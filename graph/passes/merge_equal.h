#pragma once

#include <vector>

#include <gradmill/graph/graph.h>

namespace gradmill {

/// Of live nodes that compute the same, the first stays live; what the others' readers and `roots`
/// took from them, they take from it. Inputs of a node have smaller numbers.
void merge_equal(Nodes& nodes, std::vector<bool>& live, std::vector<Node::Edge>& roots);

}  // namespace gradmill
