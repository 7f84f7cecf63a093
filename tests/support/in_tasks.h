#pragma once

// oneTBB's templates, kept apart from the tests that use them: their file is built without TSan,
// which cannot see the order that the library behind them imposes.

#include <cstddef>
#include <memory>

namespace gradmill {

/// Calls `body` from inside a task.
void in_a_task(void (*body)());

/// Calls `body` with 0 to `count` - 1 from a parallel loop.
void in_a_parallel_loop(int count, void (*body)(int));

/// Calls `body` while oneTBB may use `threads` threads.
void with_parallelism(std::size_t threads, void (*body)());

/// A thread that runs parallel loops, one after the other, on every core while this lives.
class BusyParallelLoop {
 public:
  /// Returns when the first loop has ended.
  BusyParallelLoop();
  ~BusyParallelLoop();
  BusyParallelLoop(const BusyParallelLoop&) = delete;
  BusyParallelLoop& operator=(const BusyParallelLoop&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The process-wide limit on oneTBB's threads.
std::size_t max_allowed_parallelism();

}  // namespace gradmill
