#pragma once

#include <span>

#include <gradmill/graph/gradcheck.h>

namespace gradmill {

/// Runs `gradcheck` and prints its table on stdout; returns the exit status 0. Throws Failure
/// naming the worst element when a gradient is wrong, and whatever `gradcheck` throws.
int check_gradients(const Graph& graph, Value value, std::span<const Feed> feeds,
                    const GradcheckOptions& options);

}  // namespace gradmill
