#pragma once

#include <memory>
#include <span>
#include <vector>

#include <gradmill/graph/graph.h>

namespace gradmill {

/// A graph made from a part of another, and where to find things in it.
struct Clone {
  std::unique_ptr<Graph> graph;
  std::vector<int> nodes;  ///< one per node of the original: its number in the copy, or -1

  /// The copy of a value of the original; null when it was not copied.
  Value of(const Value& value) const;
};

/// Copies what `roots`, values of `graph`, are computed from, with f64 in place of f32: inputs,
/// parameters (which get no initial values), constants, and ops, whose types are inferred anew.
/// Throws Error naming the node when an op refuses f64, gives something else than f64 where it gave
/// f32, or writes to its inputs.
Clone clone_in_f64(const Graph& graph, std::span<const Value> roots);

}  // namespace gradmill
