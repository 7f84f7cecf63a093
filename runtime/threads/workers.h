#pragma once

#include <functional>
#include <memory>

#include <tbb/task_arena.h>

namespace gradmill {

/// A task arena with its threads: the caller's, which joins by `execute`, and workers. Every one of
/// them runs oneDNN sequentially while it is inside, and the workers hold signals. Workers come
/// here before they go to arenas of normal priority.
class Workers {
 public:
  /// `threads` at least 1. Where that is more than oneTBB would give, the process-wide limit is
  /// raised while this object lives; a lower limit set by the program itself wins, and is logged as
  /// a warning.
  explicit Workers(int threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int threads() const { return threads_; }

  /// Runs `work` on the calling thread inside the arena.
  template <class F>
  void execute(F&& work) {
    arena_.execute(std::forward<F>(work));
  }

 private:
  class Entry;
  class Limit;
  int threads_;
  std::unique_ptr<Limit> limit_;
  tbb::task_arena arena_;
  std::unique_ptr<Entry> entry_;
};

}  // namespace gradmill
