#include "support/in_tasks.h"
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <atomic>
#include <thread>

namespace gradmill {

void in_a_task(void (*body)()) {
  tbb::task_group group;
  group.run_and_wait(body);
}

void in_a_parallel_loop(int count, void (*body)(int)) {
  tbb::task_arena(2).execute([=] { tbb::parallel_for(0, count, body); });
}

void with_parallelism(std::size_t threads, void (*body)()) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  body();
}

struct BusyParallelLoop::Impl {
  std::atomic<bool> over = false;
  std::atomic<int> rounds = 0;
  std::thread thread{[this] {
    while (!over) {
      tbb::parallel_for(0, 64, [](int) {
        std::atomic<int> spins = 0;
        for (int i = 0; i < 10000; ++i) spins.fetch_add(1, std::memory_order_relaxed);
      });
      ++rounds;
    }
  }};
};

BusyParallelLoop::BusyParallelLoop() : impl_(std::make_unique<Impl>()) {
  while (impl_->rounds == 0) std::this_thread::yield();
}

BusyParallelLoop::~BusyParallelLoop() {
  impl_->over = true;
  impl_->thread.join();
}

std::size_t max_allowed_parallelism() {
  return tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
}

}  // namespace gradmill
