#include "workloads/core_thread.h"

#include <pthread.h>
#include <sched.h>

#include <utility>

#include <gradmill/runtime/error.h>

namespace gradmill::bench {
namespace {

bool keep_on(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

}  // namespace

CoreThread::CoreThread(int core) : thread_([this] { loop(); }) {
  bool kept = false;
  run([&] { kept = keep_on(core); });
  if (kept) return;
  stop();
  throw Failure(cat("a thread could not be kept on core ", core));
}

CoreThread::~CoreThread() { stop(); }

void CoreThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  handed_.notify_one();
  thread_.join();
}

void CoreThread::run(std::function<void()> work) {
  std::packaged_task<void()> task(std::move(work));
  std::future<void> done = task.get_future();
  {
    const std::lock_guard lock(mutex_);
    work_ = std::move(task);
  }
  handed_.notify_one();
  done.get();
}

void CoreThread::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    handed_.wait(lock, [&] { return over_ || work_.valid(); });
    if (over_) return;
    std::packaged_task<void()> work = std::exchange(work_, {});
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace gradmill::bench
