#pragma once

#include <cstddef>
#include <limits>

#include <gradmill/graph/planning/lower.h>

namespace gradmill {

/// Derives which steps precede which, and decides where in memory the buffers are. Steps are kept
/// from running far ahead of others where that saves much, and as far as the plan's arena needs it
/// to stay within `arena_budget`, if it can.
GraphPlan place(Lowered lowered,
                std::size_t arena_budget = std::numeric_limits<std::size_t>::max());

}  // namespace gradmill
