#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

namespace gradmill::bench {

/// A thread that stays on one core and runs the functions that it is given, one after the other.
class CoreThread {
 public:
  /// `core` is one of `affinity_cpus`. Throws Failure when the thread cannot be kept there.
  explicit CoreThread(int core);
  ~CoreThread();
  CoreThread(const CoreThread&) = delete;
  CoreThread& operator=(const CoreThread&) = delete;

  /// Returns when `work` is done; rethrows what it throws. Must not be called by two threads at
  /// once.
  void run(std::function<void()> work);

 private:
  void loop();
  void stop();

  std::mutex mutex_;
  std::condition_variable handed_;
  std::packaged_task<void()> work_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace gradmill::bench
