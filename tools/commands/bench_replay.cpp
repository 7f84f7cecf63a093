// How far a training step would scale: the measured times of its tiles, scheduled on more workers
// than this machine has.

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <numeric>

#include <gradmill/runtime/error.h>

#include "commands/commands.h"
#include "workloads/replay.h"
#include "workloads/tile_times.h"

namespace gradmill {
namespace {

constexpr std::size_t kMostRows = 12;

double total(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

void print_steps(const bench::TileTimes& times, const bench::CriticalPath& path, int workers,
                 const bench::Replay& replay) {
  std::vector<std::size_t> order(times.steps.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](std::size_t i) { return replay.waited_ms[i]; });
  const double all = replay.ms * workers;
  std::cout << "  what the " << workers << " workers wait for (*: on the critical path)\n"
            << "    waiting %  tiles  total ms  longest ms  step\n";
  for (std::size_t row = 0; row < std::min(kMostRows, order.size()); ++row) {
    const std::size_t i = order[row];
    const PlanStep& step = times.plan->steps[i];
    const std::vector<double>& tiles = times.steps[i].tile_ms;
    if (tiles.empty() || replay.waited_ms[i] <= 0) break;
    const bool critical = std::ranges::find(path.steps, static_cast<int>(i)) != path.steps.end();
    std::cout << std::fixed << std::setprecision(1) << std::setw(13)
              << 100 * replay.waited_ms[i] / all << std::setw(7) << tiles.size()
              << std::setprecision(3) << std::setw(10) << total(tiles) << std::setw(12)
              << *std::ranges::max_element(tiles) << (critical ? " *" : "  ")
              << to_string(step.phase) << ' ' << step.op << " '" << step.name << "', "
              << step.shapes;
    if (step.kernel->phases() > 1) std::cout << ", phase " << step.kernel_phase;
    std::cout << "; " << step.kernel->description() << '\n';
  }
}

void report(const std::string& name, const bench::TileTimes& times,
            const std::vector<int>& workers) {
  std::size_t tiles = 0;
  double busy_ms = 0;
  for (const bench::ReplayStep& step : times.steps) {
    tiles += step.tile_ms.size();
    busy_ms += total(step.tile_ms);
  }
  const bench::CriticalPath path = bench::critical_path(times.steps);
  std::cout << std::fixed << std::setprecision(3) << name << ": " << times.steps.size()
            << " steps, " << tiles << " tiles; serial " << times.serial_ms << " ms (median of "
            << times.runs << "), its tiles " << busy_ms << " ms, critical path " << path.ms
            << " ms, dispatch " << times.dispatch_ms * 1e3
            << " us a tile\n  workers        ms  speed-up  efficiency\n";
  bench::Replay last;
  for (const int count : workers) {
    // One worker runs the plan serially.
    last = bench::replay(times.steps, count, count == 1 ? 0 : times.dispatch_ms);
    const double speed_up = busy_ms / last.ms;
    std::cout << std::setw(9) << count << std::setprecision(3) << std::setw(10) << last.ms
              << std::setprecision(2) << std::setw(10) << speed_up << std::setw(12)
              << speed_up / count << '\n';
  }
  print_steps(times, path, workers.back(), last);
  std::cout << std::flush;
}

}  // namespace

int replay_bench(const BenchOptions& options) {
  check(options.json.empty() && options.peers.empty() && options.measure.empty() &&
            options.measure_limit.empty(),
        "--replay takes --workload and --seconds only");
  for (const std::string& name :
       options.workloads.empty() ? bench::workload_names() : options.workloads) {
    const std::unique_ptr<bench::Workload> workload = bench::make_workload(name);
    report(name, bench::measure_tiles(*workload, options.seconds), options.replay);
  }
  return 0;
}

}  // namespace gradmill
