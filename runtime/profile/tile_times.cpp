#include <gradmill/runtime/profile/tile_times.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <numeric>
#include <utility>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/profile/median.h>

namespace gradmill {
namespace {

class EmptyKernel final : public Kernel {
 public:
  explicit EmptyKernel(std::int64_t tiles) : tiles_(tiles) {}
  std::int64_t tiles(int) const override { return tiles_; }
  void run(int, std::int64_t, const KernelRun&) const override {}
  std::string description() const override { return "empty"; }

 private:
  std::int64_t tiles_;
};

double ms_of(const TracedTile& tile) {
  return static_cast<double>(tile.end_ns - tile.begin_ns) * 1e-6;
}

}  // namespace

std::vector<ReplayStep> median_tile_times(const Trace& trace) {
  check(trace.plan != nullptr, "a profile needs a trace of a plan, and this one has none");
  std::vector<ReplayStep> steps;
  std::vector<std::vector<std::vector<double>>> times;  // of each tile of each step
  for (const PlanStep& planned : trace.plan->steps) {
    steps.push_back({.name = planned.name, .predecessors = planned.predecessors});
    times.emplace_back(static_cast<std::size_t>(planned.tiles));
  }
  bool found = false;
  for (const TracedRun& run : trace.runs) {
    if (run.failed) continue;
    found = true;
    for (const TracedTile& tile : run.tiles) {
      times[static_cast<std::size_t>(tile.step)][static_cast<std::size_t>(tile.tile)].push_back(
          ms_of(tile));
    }
  }
  check(found, "a profile needs a run that succeeded, and the trace has none");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (std::vector<double>& tile : times[i]) {
      steps[i].tile_ms.push_back(median(std::move(tile)));
    }
  }
  return steps;
}

std::vector<ReplayStep> tile_times(const Trace& trace) {
  return tile_times(trace, median_tile_times(trace));
}

std::vector<ReplayStep> tile_times(const Trace& trace, std::vector<ReplayStep> steps) {
  double sum = 0;
  for (const ReplayStep& step : steps) {
    sum = std::accumulate(step.tile_ms.begin(), step.tile_ms.end(), sum);
  }
  std::vector<double> busy;
  for (const TracedRun& run : trace.runs) {
    if (run.failed) continue;
    busy.push_back(0);
    for (const TracedTile& tile : run.tiles) busy.back() += ms_of(tile);
  }
  const double scale = sum > 0 ? median(std::move(busy)) / sum : 1;
  for (ReplayStep& step : steps) {
    for (double& ms : step.tile_ms) ms *= scale;
  }
  return steps;
}

double measure_dispatch(const Plan& plan, int threads, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto empty = std::make_shared<Plan>();
  std::int64_t tiles = 0;
  for (const PlanStep& step : plan.steps) {
    PlanStep& copy = empty->steps.emplace_back(step);
    copy.kernel = std::make_shared<EmptyKernel>(step.tiles);
    copy.inputs = copy.outputs = copy.writes = {};
    copy.workspace = -1;
    tiles += step.tiles;
  }
  if (tiles == 0) return 0;
  Executor executor(empty, {.threads = threads});
  constexpr int kWarm = 3;
  std::vector<double> ms;
  const auto begin = Clock::now();
  for (int i = 0; ms.size() < 5 || Clock::now() - begin < std::chrono::duration<double>(seconds);
       ++i) {
    const auto start = Clock::now();
    executor.run({});
    if (i < kWarm) continue;
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return median(std::move(ms)) * threads / static_cast<double>(tiles);
}

}  // namespace gradmill
