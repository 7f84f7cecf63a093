#pragma once

#include <utility>
#include <vector>

#include <gradmill/graph/graph.h>

namespace gradmill {

/// The nodes of a graph while passes change them. Their numbers stay what they were: nodes go out
/// of use, or others take their place.
struct Rewriting {
  Rewriting(Nodes all, std::vector<Node::Edge> kept)
      : nodes(std::move(all)), roots(std::move(kept)), live(nodes.size(), true) {}

  int size() const { return static_cast<int>(nodes.size()); }

  Nodes nodes;
  std::vector<Node::Edge> roots;  ///< results that must be kept
  std::vector<bool> live;         ///< one per node: whether it is in use
  bool in_order = true;           ///< whether all live nodes read smaller numbers only
};

}  // namespace gradmill
