#pragma once

// What tracing adds to a run.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <gradmill/runtime/support/alignment.h>
#include <gradmill/runtime/trace.h>

namespace gradmill {

/// Nanoseconds on `std::chrono::steady_clock`, on which all traces tell time.
inline std::int64_t trace_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Takes the tiles of one run of a plan, each thread its own on a lane of its own, without locks.
class TileRecorder {
 public:
  /// Room for `tiles`, as many as the plan has, on each of `lanes` lanes; memory that no tile needs
  /// is never touched.
  TileRecorder(int lanes, std::size_t tiles);

  /// By the thread that holds the lane.
  void add(int lane, int step, std::int64_t tile, std::int64_t begin, std::int64_t end) {
    Lane& own = lanes_[static_cast<std::size_t>(lane)];
    // The lane may have been another thread's before.
    const std::size_t used = own.used.load(std::memory_order_acquire);
    own.tiles[used] = {begin, end, step, static_cast<std::int32_t>(tile), lane};
    own.used.store(used + 1, std::memory_order_release);
  }

  /// All tiles since the last `take`, in the order of their starts. While no run goes on.
  std::vector<TracedTile> take();

 private:
  struct alignas(2 * kBufferAlignment) Lane {
    std::unique_ptr<TracedTile[]> tiles;
    std::atomic<std::size_t> used = 0;
  };

  std::vector<Lane> lanes_;
};

}  // namespace gradmill
