#include <gradmill/runtime/plan/step_cost.h>

#include <algorithm>

#include <gradmill/runtime/plan/critical_path.h>

namespace gradmill {
namespace {

// Figures of a current server core, on the slow side for memory.
constexpr double kFlopsPerSecond = 60e9;
constexpr double kBytesPerSecond = 20e9;
constexpr double kTileSeconds = 0.1e-6;
// A task's dispatch, and the least work that pays for a second thread.
constexpr double kDispatchSeconds = 1e-6;
constexpr double kWorthSharingSeconds = 5e-6;

bool cost_is_known(const PlanStep& step) { return step.flops > 0 || step.bytes_moved > 0; }

}  // namespace

double estimated_seconds(const PlanStep& step) {
  if (!cost_is_known(step)) return 0;
  return std::max(step.flops / kFlopsPerSecond, step.bytes_moved / kBytesPerSecond) +
         kTileSeconds * static_cast<double>(step.tiles);
}

std::vector<double> estimated_seconds(const Plan& plan) {
  std::vector<double> seconds;
  seconds.reserve(plan.steps.size());
  for (const PlanStep& step : plan.steps) seconds.push_back(estimated_seconds(step));
  return seconds;
}

int useful_runners(const PlanStep& step, int threads) {
  if (cost_is_known(step) && estimated_seconds(step) < kWorthSharingSeconds) return 1;
  return static_cast<int>(std::min<std::int64_t>(step.tiles, threads));
}

bool prefers_serial(const Plan& plan, int threads) {
  if (threads == 1) return true;
  double serial = 0;
  double dispatch = 0;
  std::vector<double> shared;  // one per step: its time on the threads that are worth waking
  shared.reserve(plan.steps.size());
  for (const PlanStep& step : plan.steps) {
    const double seconds = estimated_seconds(step);
    const int runners = useful_runners(step, threads);
    shared.push_back(seconds / runners + kDispatchSeconds);
    serial += seconds;
    dispatch += kDispatchSeconds * (runners + (runners > 1 ? 1 : 0));
  }
  const double critical = critical_path(plan.steps, shared).length;
  return serial <= std::max(critical, (serial + dispatch) / threads);
}

}  // namespace gradmill
