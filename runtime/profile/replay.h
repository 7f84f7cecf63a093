#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradmill/runtime/export.h>
#include <gradmill/runtime/plan/critical_path.h>

namespace gradmill {

/// A step of a plan as a scheduler sees it: tiles that may run once all predecessors' are done.
struct ReplayStep {
  std::string name;
  std::vector<double> tile_ms = {};    ///< what each of its tiles takes
  std::vector<int> predecessors = {};  ///< each smaller than the step's own number
};

/// What became of a plan on some number of workers.
struct Replay {
  double ms = 0;       ///< from the first tile's start to the last one's end
  double busy_ms = 0;  ///< of all workers together, dispatch included
  /// One per step: the time of workers without work that is charged to it, which the tiles that run
  /// meanwhile share equally.
  std::vector<double> waited_ms;
};

/// List scheduling (R. Graham, "Bounds on multiprocessing timing anomalies", 1969): whenever a
/// worker is free, it takes a ready tile of the step from which the longest path leads to the end,
/// tiles of a step in their order. Each tile costs `dispatch_ms` beyond its own time. Throws Error
/// for fewer workers than 1, and for a predecessor that is not before its step.
GRADMILL_API Replay replay(const std::vector<ReplayStep>& steps, int workers, double dispatch_ms);

/// The longest chain of steps, in milliseconds, each of which takes as long as its longest tile: no
/// number of workers is faster.
GRADMILL_API CriticalPath critical_path(const std::vector<ReplayStep>& steps);

}  // namespace gradmill
