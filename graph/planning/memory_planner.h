#pragma once

#include <gradmill/graph/planning/schedule.h>
#include <gradmill/runtime/plan.h>

namespace gradmill {

/// Gives every arena buffer its offset, and the plan its sizes. Two buffers share bytes only where
/// every use of one comes before the first use of the other under every legal schedule; kept
/// buffers share with none that is used after their first write. Offsets are multiples of 64.
/// Largest first, lowest free gap: greedy by size, as in Y. Pisarchyk and J. Lee, "Efficient memory
/// management for deep neural net inference", 2020.
GRADMILL_API void plan_memory(Plan& plan, const Precedence& precedence);

}  // namespace gradmill
