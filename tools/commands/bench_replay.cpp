// How far a training step would scale: the measured times of its tiles, scheduled on more workers
// than this machine has.

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <numeric>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/profile/replay.h>

#include "commands/bench_machine.h"
#include "commands/commands.h"
#include "commands/tuning_file.h"
#include "workloads/tile_times.h"

namespace gradmill {
namespace {

constexpr std::size_t kMaxRows = 8;
constexpr double kMinShare = 1e-3;

double total(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// The first rows of a table of the plan's steps, those with the largest `ms` first.
void print_steps(const bench::TileTimes& times, const CriticalPath& path,
                 const std::vector<double>& ms, double all_ms) {
  std::vector<std::size_t> order(times.steps.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t i) { return ms[i]; });
  std::cout << "        %  tiles  total ms  longest ms  GFLOP/s  step\n";
  for (std::size_t row = 0; row < std::min(kMaxRows, order.size()); ++row) {
    const std::size_t i = order[row];
    const PlanStep& step = times.plan->steps[i];
    const std::vector<double>& tiles = times.steps[i].tile_ms;
    if (tiles.empty() || ms[i] < kMinShare * all_ms) break;
    const bool critical = std::ranges::find(path.steps, static_cast<int>(i)) != path.steps.end();
    std::cout << std::setprecision(1) << std::setw(9) << 100 * ms[i] / all_ms << std::setw(7)
              << tiles.size() << std::setprecision(3) << std::setw(10) << total(tiles)
              << std::setw(12) << *std::ranges::max_element(tiles) << std::setprecision(1)
              << std::setw(9) << step.flops / total(tiles) / 1e6 << (critical ? " *" : "  ")
              << to_string(step.phase) << ' ' << step.op << " '" << step.name << "', "
              << step.shapes;
    if (step.kernel->phases() > 1) std::cout << ", phase " << step.kernel_phase;
    std::cout << "; " << step.kernel->description() << '\n';
  }
}

void report(const std::string& name, const bench::TileTimes& times,
            const std::vector<int>& workers) {
  std::size_t tiles = 0;
  std::vector<double> step_ms;
  for (const ReplayStep& step : times.steps) {
    tiles += step.tile_ms.size();
    step_ms.push_back(total(step.tile_ms));
  }
  const double busy_ms = total(step_ms);
  const CriticalPath path = critical_path(times.steps);
  std::cout << std::fixed << std::setprecision(3) << name << ": " << times.steps.size()
            << " steps, " << tiles << " tiles; serial " << times.serial_ms << " ms (median of "
            << times.runs << "), its tiles " << busy_ms << " ms, critical path " << path.length
            << " ms, dispatch " << times.dispatch_ms * 1e3
            << " us per tile\n  workers        ms  speed-up  efficiency\n";
  Replay last;
  for (const int count : workers) {
    // One worker runs the plan serially.
    last = replay(times.steps, count, count == 1 ? 0 : times.dispatch_ms);
    const double speed_up = busy_ms / last.ms;
    std::cout << std::setw(9) << count << std::setprecision(3) << std::setw(10) << last.ms
              << std::setprecision(2) << std::setw(10) << speed_up << std::setw(12)
              << speed_up / count << '\n';
  }
  std::cout << "  where one worker's time goes (*: on the critical path)\n";
  print_steps(times, path, step_ms, busy_ms);
  std::cout << "  what " << workers.back() << " workers wait for, of their time\n";
  print_steps(times, path, last.waited_ms, last.ms * workers.back());
  std::cout << std::flush;
}

}  // namespace

int replay_bench(const BenchOptions& options) {
  std::cout << to_string(this_machine()) << '\n';
  for (const std::string& name :
       options.workloads.empty() ? bench::default_workload_names() : options.workloads) {
    const std::unique_ptr<bench::Workload> workload = bench::make_workload(name);
    workload->options.tuning = load_tuning(options.tuning);
    report(name, bench::measure_tiles(*workload, options.seconds), options.replay);
  }
  return 0;
}

}  // namespace gradmill
