#pragma once

#include <memory>
#include <vector>

namespace gradmill {

/// A task of a flow graph: `runners` bodies that may run at the same time, once all predecessors
/// ended.
struct FlowTask {
  int task = 0;  ///< what the body is told
  int runners = 1;
  double urgency = 0;             ///< of tasks that one task releases, the most urgent runs first
  std::vector<int> predecessors;  ///< places in the list of tasks, each before this one
};

/// What tasks do. Called from the threads of the flow; must not throw.
class FlowBody {
 public:
  virtual ~FlowBody() = default;
  /// Called `runners` times for each task, on the thread of arena slot `slot` (0 to threads - 1).
  virtual void run(int task, int slot) noexcept = 0;
  /// Called once when all runners of a task with several ended, before its successors start.
  virtual void finish(int task) noexcept = 0;
};

/// Tasks on a oneTBB flow graph, built once and run many times, in an arena of its own.
class Flow {
 public:
  /// `body` must outlive the flow.
  Flow(int threads, const std::vector<FlowTask>& tasks, FlowBody& body);
  ~Flow();
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  /// Runs every task once; the calling thread works along.
  void run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradmill
