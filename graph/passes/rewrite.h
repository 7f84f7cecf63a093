#pragma once

#include <gradmill/graph/graph.h>
#include <gradmill/graph/passes/ends.h>
#include <gradmill/graph/session_options.h>

namespace gradmill {

/// Applies the chosen rewrites to `graph`. `ends` are followed: on return they refer to the same
/// values of the new nodes. Update nodes are always kept.
GRADMILL_API void rewrite(Graph& graph, Ends& ends, const RewriteOptions& options);

}  // namespace gradmill
