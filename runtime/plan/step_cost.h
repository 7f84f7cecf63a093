#pragma once

#include <vector>

#include <gradmill/runtime/plan.h>

namespace gradmill {

/// A rough time for one step on one thread, in seconds, for decisions about dispatch only: results
/// never depend on it. 0 when the step says nothing of its cost.
double estimated_seconds(const PlanStep& step);

/// That of every step of a plan.
GRADMILL_API std::vector<double> estimated_seconds(const Plan& plan);

/// How many threads at once are worth waking for a step's tiles.
int useful_runners(const PlanStep& step, int threads);

/// Whether the flow graph is worth its overhead: compares the plan's estimated serial time with the
/// larger of its critical path and its work shared by `threads`, dispatch included.
GRADMILL_API bool prefers_serial(const Plan& plan, int threads);

}  // namespace gradmill
