#pragma once

#include <vector>

#include <gradmill/graph/graph.h>

namespace gradmill {

/// Which rewrites a session applies. Each leaves the results as they are, to the bit.
struct RewriteOptions {
  bool fuse = true;  ///< ops absorb their consumers: bias and activation into a product
  /// With `fuse`: what has nothing to do but update a parameter is absorbed by the product that is
  /// its gradient, which is then never stored.
  bool fuse_updates = true;
  bool merge_equal = true;  ///< nodes that compute the same are computed once
  bool drop_dead = true;    ///< nodes that nothing asked for are not run
};

/// Applies the chosen rewrites to `graph`. `roots` (what is fetched) are followed through them: on
/// return they refer to the same results in the new graph. Update nodes are kept always.
GRADMILL_API void rewrite(Graph& graph, std::vector<Value>& roots, const RewriteOptions& options);

}  // namespace gradmill
