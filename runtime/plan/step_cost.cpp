#include <gradmill/runtime/plan/step_cost.h>

#include <algorithm>

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

int useful_runners(const PlanStep& step, int threads) {
  if (cost_is_known(step) && estimated_seconds(step) < kWorthSharingSeconds) return 1;
  return static_cast<int>(std::min<std::int64_t>(step.tiles, threads));
}

bool prefers_serial(const Plan& plan, int threads) {
  if (threads == 1) return true;
  double serial = 0;
  double critical = 0;
  double dispatch = 0;
  std::vector<double> end(plan.steps.size(), 0);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    const double seconds = estimated_seconds(step);
    const int runners = useful_runners(step, threads);
    double start = 0;
    for (const int p : step.predecessors) {
      start = std::max(start, end[static_cast<std::size_t>(p)]);
    }
    end[i] = start + seconds / runners + kDispatchSeconds;
    critical = std::max(critical, end[i]);
    serial += seconds;
    dispatch += kDispatchSeconds * (runners + (runners > 1 ? 1 : 0));
  }
  return serial <= std::max(critical, (serial + dispatch) / threads);
}

}  // namespace gradmill
