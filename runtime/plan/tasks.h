#pragma once

#include <vector>

#include <gradmill/runtime/plan.h>

namespace gradmill {

/// Steps that run one after the other as one task, or one step whose tiles several runners share.
/// When the last has ended, the tasks that follow may start.
struct Task {
  std::vector<int> steps;
  int runners = 1;
  std::vector<int> predecessors;  ///< tasks, each before this one
  /// Estimated seconds from its start to the end of the longest path after it; 0 where no step of
  /// it says what it costs.
  double urgency = 0;
};

/// How `threads` threads run a plan. One task are the steps of a chain for which one thread is
/// enough, and small steps, up to a few microseconds together, none of which waits for
/// more than the first of them does.
std::vector<Task> make_tasks(const Plan& plan, int threads);

/// All steps as one task, for one thread.
std::vector<Task> tasks_in_plan_order(const Plan& plan);

}  // namespace gradmill
