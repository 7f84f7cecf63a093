#include <gradmill/graph/planning/compile.h>

#include <gradmill/graph/planning/lower.h>
#include <gradmill/graph/planning/memory_budget.h>
#include <gradmill/graph/planning/place.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>

namespace gradmill {
namespace {

void log_kernels(const Plan& plan) {
  if (!log_enabled(LogLevel::debug)) return;
  for (const PlanStep& step : plan.steps) {
    if (step.kernel_phase > 0) continue;
    log(LogLevel::debug,
        cat(to_string(step.phase), " ", step.op, " '", step.name, "': ", step.shapes, "; ",
            step.tiles, " tiles; ", step.kernel->description()));
  }
}

}  // namespace

GraphPlan compile(Graph& graph, Ends& ends, const Parameters& parameters,
                  const CompileOptions& options) {
  PreparedKernels kernels(options.tuning);
  GraphPlan result = options.memory_budget == 0
                         ? place(lower(graph, ends, parameters, kernels, options.check_finite))
                         : place_within(graph, ends, parameters, kernels, options.check_finite,
                                        options.memory_budget, options.threads);
  log_kernels(result.plan);
  return result;
}

}  // namespace gradmill
