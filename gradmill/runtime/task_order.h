#pragma once

// Internal: not installed.

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

namespace gradmill {

/// Tells ThreadSanitizer which tasks are ordered; does nothing in other builds.
///
/// Distributions do not build oneTBB for TSan, which therefore sees no order between its tasks. Here
/// it is told of the plan's edges and of nothing else, so that two tasks which touch the same bytes
/// without a path of edges between them are reported, even where the scheduler happened to order them.
class TaskOrder {
 public:
#ifdef __SANITIZE_THREAD__
  explicit TaskOrder(std::size_t tasks)
      : tasks_(tasks), ended_(std::make_unique<std::atomic<int>[]>(tasks)) {}

  void run_begins() { started_.fetch_add(1, std::memory_order_release); }
  void task_begins(const std::vector<int>& predecessors) const {
    started_.load(std::memory_order_acquire);
    for (const int p : predecessors) {
      ended_[static_cast<std::size_t>(p)].load(std::memory_order_acquire);
    }
  }
  void task_ends(int task) {
    ended_[static_cast<std::size_t>(task)].fetch_add(1, std::memory_order_release);
  }
  void run_ends() const {
    for (std::size_t i = 0; i < tasks_; ++i) ended_[i].load(std::memory_order_acquire);
  }

 private:
  std::size_t tasks_;
  std::atomic<int> started_ = 0;
  std::unique_ptr<std::atomic<int>[]> ended_;
#else
  explicit TaskOrder(std::size_t) {}
  void run_begins() {}
  void task_begins(const std::vector<int>&) const {}
  void task_ends(int) {}
  void run_ends() const {}
#endif
};

}  // namespace gradmill
