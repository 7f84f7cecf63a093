#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <gradmill/runtime/plan.h>
#include <gradmill/runtime/support/arena.h>

namespace gradmill {

struct ExecutorOptions {
  int threads = 1;
  bool serial = false;  ///< on the calling thread alone, in plan order
};

/// Runs a plan, again and again, serially or on a flow graph built once.
///
/// Between runs nothing is kept but the arena. One run at a time.
class GRADMILL_API Executor {
 public:
  /// Allocates the arena, resolves every pointer but the feeds', builds the flow graph.
  /// Throws Error for an invalid plan, Failure when memory is short.
  Executor(std::shared_ptr<const Plan> plan, const ExecutorOptions& options);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Sets the memory of a buffer with Place::feed.
  void bind(int buffer, const void* data);

  /// All steps. When fallible steps throw, the one that is first in plan order (and in it the first
  /// tile) decides the error that is rethrown here, on any schedule: steps and tiles after a failed
  /// one are skipped, those before it still run. An update therefore never runs after a failure of
  /// a step that precedes it. A recorder, which has `lanes` lanes, is told when each tile ran.
  void run(const StepInfo& info, class TileRecorder* recorder = nullptr);

  /// How many threads run tiles.
  int lanes() const;
  /// How many tasks of the flow graph the steps became; 1 where they run serially.
  int tasks() const;

  /// Where a buffer is; null for a feed that was not bound.
  void* address(int buffer) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradmill
