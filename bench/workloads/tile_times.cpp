#include "workloads/tile_times.h"

#include <limits>

#include <gradmill/runtime/profile/tile_times.h>
#include <gradmill/runtime/threads/cpus.h>

#include "workloads/clock.h"

namespace gradmill::bench {

TileTimes measure_tiles(const Workload& workload, double seconds) {
  SessionOptions options = workload.options;
  options.threads = 1;
  Session session(workload.graph, options);
  session.start_trace({.max_tiles = std::numeric_limits<std::size_t>::max()});
  const StepTimes whole = measure_steps(seconds, [&](int step) {
    session.run(workload.batches[static_cast<std::size_t>(step) % workload.batches.size()]);
  });
  Trace trace = session.stop_trace();
  // The first runs were the warm-up.
  trace.runs.erase(trace.runs.begin(), trace.runs.end() - static_cast<std::ptrdiff_t>(whole.steps));
  return {.plan = trace.plan,
          .steps = tile_times(trace),
          .runs = whole.steps,
          .serial_ms = whole.median_ms,
          .dispatch_ms = measure_dispatch(*trace.plan, allowed_cpus(), seconds / 4)};
}

}  // namespace gradmill::bench
