#pragma once

#include <cstdint>

#include <gradmill/graph/planning/schedule.h>
#include <gradmill/runtime/plan.h>

namespace gradmill {

/// Adds edges that keep steps from running far ahead of others, so that fewer buffers are alive at
/// once under the plan's legal schedules: weight gradients, on which nothing waits, would otherwise
/// keep what they read alive to the end.
///
/// Every step of the longest path (by estimated seconds) becomes a gate: those behind it in the
/// plan wait for it, and it waits for those that are `lookahead` tiles or more before it. What the
/// longest path holds up anyway is held up no longer. Edges that `precedence` knows are not added
/// again.
void add_gates(Plan& plan, const Precedence& precedence, std::int64_t lookahead);

/// Makes each step wait for the one before it: one schedule is legal, in which tiles of one step
/// alone run side by side.
void chain_steps(Plan& plan);

}  // namespace gradmill
