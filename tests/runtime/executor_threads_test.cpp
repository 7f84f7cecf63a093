#include <gmock/gmock.h>
#include <gtest/gtest.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <gradmill/runtime/executor/executor.h>
#include <tests/runtime/random_plan.h>
#include "support/in_tasks.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace gradmill {
namespace {

// As many tiles as threads, each of which waits for all the others: only that many threads at the
// same time get past it before the deadline.
class MeetingKernel : public Kernel {
 public:
  explicit MeetingKernel(int threads) : threads_(threads) {}
  std::int64_t tiles(int) const override { return threads_; }
  std::string description() const override { return "meeting"; }
  void run(int, std::int64_t, const KernelRun&) const override {
    {
      const std::lock_guard lock(mutex_);
      ids_.insert(std::this_thread::get_id());
    }
    ++arrived_;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (arrived_ < threads_ && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    if (arrived_ < threads_) throw Failure(cat("only ", arrived_.load(), " threads came"));
  }
  std::size_t distinct_threads() const { return ids_.size(); }
  void reset() const {
    arrived_ = 0;
    ids_.clear();
  }

 private:
  int threads_;
  mutable std::atomic<int> arrived_ = 0;
  mutable std::mutex mutex_;
  mutable std::set<std::thread::id> ids_;
};

class ExecutorUses : public testing::TestWithParam<int> {};

TEST_P(ExecutorUses, AsManyDistinctThreadsAsAskedFor) {
  const std::size_t before = max_allowed_parallelism();
  {
    const auto kernel = std::make_shared<const MeetingKernel>(GetParam());
    auto plan = std::make_shared<Plan>();
    PlanStep step;
    step.kernel = kernel;
    step.tiles = GetParam();
    step.fallible = true;
    plan->steps = {step};
    Executor executor(plan, {.threads = GetParam()});
    for (int i = 0; i < 5; ++i) {
      kernel->reset();
      executor.run({});
      EXPECT_EQ(kernel->distinct_threads(), static_cast<std::size_t>(GetParam()));
    }
  }
  EXPECT_EQ(max_allowed_parallelism(), before) << "the process-wide limit must be what it was";
}

INSTANTIATE_TEST_SUITE_P(, ExecutorUses, testing::Values(1, 2, 3, 8));

// Runs a plan of its own many times and compares with serial execution.
void run_and_compare(unsigned seed, int threads, std::uint64_t runs) {
  const RandomPlanOptions options{.steps = 80, .updates = 6};
  const RandomPlan one(seed, options);
  const RandomPlan other(seed, options);
  Executor serial(one.plan, {.threads = 1, .serial = true});
  Executor parallel(other.plan, {.threads = threads});
  for (std::uint64_t step = 0; step < runs; ++step) {
    other.watch->reset();
    serial.run({step, 0});
    parallel.run({step, 0});
    EXPECT_EQ(other.watch->violations, 0);
    EXPECT_EQ(other.results(parallel), one.results(serial));
  }
}

TEST(ExecutorComposes, TwoAtTheSameTime) {
  std::thread first([] { run_and_compare(1, 2, 200); });
  std::thread second([] { run_and_compare(2, 3, 200); });
  first.join();
  second.join();
}

TEST(ExecutorComposes, CalledFromATask) {
  in_a_task([] { run_and_compare(3, 2, 20); });
}

TEST(ExecutorComposes, CalledFromAParallelLoop) {
  in_a_parallel_loop(8, [](int i) { run_and_compare(static_cast<unsigned>(i), 2, 20); });
}

TEST(ExecutorComposes, MadeByOneThreadRunByOthers) {
  const RandomPlanOptions options{.steps = 80, .updates = 6};
  const RandomPlan one(5, options);
  const RandomPlan other(5, options);
  Executor serial(one.plan, {.threads = 1, .serial = true});
  Executor parallel(other.plan, {.threads = 2});
  for (std::uint64_t step = 0; step < 20; ++step) {
    serial.run({step, 0});
    std::thread([&] { parallel.run({step, 0}); }).join();
    ASSERT_EQ(other.results(parallel), one.results(serial));
  }
}

#ifdef _OPENMP
TEST(ExecutorComposes, TheCallersOpenMpThreadCountStays) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(3);
  for (const bool serial : {true, false}) {
    const RandomPlan random(9, {.steps = 40, .fallible = true});
    Executor executor(random.plan, {.threads = 2, .serial = serial});
    EXPECT_EQ(omp_get_max_threads(), 3);
    executor.run({});
    EXPECT_EQ(omp_get_max_threads(), 3);
    random.watch->failures = {{20, 0}};
    EXPECT_THROW(executor.run({}), Error);
    EXPECT_EQ(omp_get_max_threads(), 3);
  }
  omp_set_num_threads(before);
}
#endif

}  // namespace
}  // namespace gradmill
