#pragma once

#include <vector>

#include <gradmill/runtime/profile/replay.h>
#include <gradmill/runtime/trace.h>

namespace gradmill {

/// What each tile of a plan takes, from a trace: one step of the result for each of the plan.
///
/// A tile's time is its median over the runs, and all are then scaled alike, so that together they
/// come to what a run's tiles typically come to (the median over the runs of the sum of their
/// times): a median alone forgets what disturbs single tiles now and then. Runs that failed do not
/// count. Throws Error when no run is left.
GRADMILL_API std::vector<ReplayStep> tile_times(const Trace& trace);

/// The same without the scaling: each tile's median.
GRADMILL_API std::vector<ReplayStep> median_tile_times(const Trace& trace);

/// The same from what `median_tile_times` gave for the trace.
GRADMILL_API std::vector<ReplayStep> tile_times(const Trace& trace,
                                                std::vector<ReplayStep> medians);

/// What the flow graph costs beyond the tiles, in milliseconds of a worker per tile: measured in
/// about `seconds` with a plan of the same edges and tiles that do nothing, on `threads` threads.
GRADMILL_API double measure_dispatch(const Plan& plan, int threads, double seconds);

}  // namespace gradmill
