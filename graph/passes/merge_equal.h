#pragma once

#include <gradmill/graph/passes/rewriting.h>

namespace gradmill {

/// Of live nodes that compute the same, the first stays live; what the others' readers and the
/// roots took from them, they take from it. Inputs of a node have smaller numbers.
void merge_equal(Rewriting& rewriting);

}  // namespace gradmill
