#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <utility>

#include <gradmill/runtime/plan.h>

namespace gradmill {

/// Throws again the exception that is being handled, thrown by the kernel of `step`: kernels know
/// neither their node nor its op, so an Error or Failure gets "op 'name': " in front of its
/// message. Exceptions of other types, and those of steps without an op, stay as they are.
[[noreturn]] void rethrow_with_node(const PlanStep& step);

/// The failure that is first in plan order, whatever the schedule.
class FirstFailure {
 public:
  static std::uint64_t key(int step, std::int64_t tile) {
    return static_cast<std::uint64_t>(step) << kTileBits | static_cast<std::uint64_t>(tile);
  }
  bool happened() const { return first_.load(std::memory_order_acquire) != kNone; }
  bool precedes(std::uint64_t key) const { return first_.load(std::memory_order_acquire) < key; }

  /// Keeps the exception that is being handled, unless an earlier one is kept.
  void record(std::uint64_t key) noexcept {
    const std::lock_guard lock(mutex_);
    if (key >= first_.load(std::memory_order_relaxed)) return;
    error_ = std::current_exception();
    first_.store(key, std::memory_order_release);
  }

  /// Throws the failure, if there was one, and forgets it.
  void rethrow(const Plan& plan) {
    if (!happened()) return;
    const std::uint64_t key = first_.exchange(kNone, std::memory_order_relaxed);
    try {
      std::rethrow_exception(std::exchange(error_, nullptr));
    } catch (...) {
      rethrow_with_node(plan.steps[static_cast<std::size_t>(key >> kTileBits)]);
    }
  }

 private:
  static constexpr unsigned kTileBits = 40;
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

  std::atomic<std::uint64_t> first_ = kNone;
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace gradmill
