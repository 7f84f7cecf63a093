#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include <gradmill/runtime/support/lists.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace gradmill {

/// Tells ThreadSanitizer which tasks are ordered; does nothing in other builds.
///
/// Distributions do not build oneTBB for TSan, which therefore sees no order between its tasks.
/// Here it is told of the plan's edges and of nothing else, so that two tasks which touch the same
/// bytes without a path of edges between them are reported, even where the scheduler happened to
/// order them.
class TaskOrder {
 public:
#ifdef __SANITIZE_THREAD__
  /// `predecessors`: one list per task, an empty one for numbers that stand for no task.
  TaskOrder(const void* run, Lists predecessors)
      : run_(run),
        predecessors_(std::move(predecessors)),
        ended_(std::make_unique<std::atomic<int>[]>(predecessors_.size())) {}

  void run_begins() const { __tsan_release(const_cast<void*>(run_)); }
  /// The first thing that a task does, before it reads even its executor: workers outlive those.
  static void enter(const void* run) { __tsan_acquire(const_cast<void*>(run)); }
  void task_begins(int task) const {
    for (const int p : predecessors_[task]) {
      ended_[static_cast<std::size_t>(p)].load(std::memory_order_acquire);
    }
  }
  void task_ends(int task) {
    ended_[static_cast<std::size_t>(task)].fetch_add(1, std::memory_order_release);
  }
  void run_ends() const {
    for (std::size_t i = 0; i < predecessors_.size(); ++i) {
      ended_[i].load(std::memory_order_acquire);
    }
  }

 private:
  const void* run_;  // an address that stands for "the run began"
  Lists predecessors_;
  std::unique_ptr<std::atomic<int>[]> ended_;
#else
  TaskOrder(const void*, const Lists&) {}
  void run_begins() const {}
  static void enter(const void*) {}
  void task_begins(int) const {}
  void task_ends(int) {}
  void run_ends() const {}
#endif
};

}  // namespace gradmill
