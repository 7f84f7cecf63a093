// Sessions in programs whose own threads want every core: they finish, with the same bits.

#include <gtest/gtest.h>
#include "support/in_tasks.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include <gradmill/gradmill.h>

#include "programs.h"

namespace gradmill {
namespace {

using Outcome = std::map<std::string, Bytes>;

constexpr int kSteps = 5;

SessionOptions training(int threads, Execution execution = Execution::flow_graph) {
  return {.optimizer = AdamW{.lr = 1e-2}, .threads = threads, .execution = execution};
}

std::unique_ptr<Program> small_program() { return mlp(DType::f32, 64, {20, 96, 80, 10}); }

Outcome lone_outcome(const Program& program) {
  return outcome(program, training(1, Execution::serial), kSteps);
}

// What the bodies below compare; given by an atomic, which is an order that ThreadSanitizer sees.
struct Comparison {
  const Program* program;
  const Outcome* expected;
};
std::atomic<const Comparison*> comparison = nullptr;
std::atomic<int> equal = 0;

void compare(int threads) {
  const Comparison& mine = *comparison;
  if (outcome(*mine.program, training(threads), kSteps) == *mine.expected) ++equal;
}

class Coexistence : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    comparison = &comparison_;
    equal = 0;
  }

 private:
  const std::unique_ptr<Program> program_ = small_program();
  const Outcome expected_ = lone_outcome(*program_);
  const Comparison comparison_ = {program_.get(), &expected_};
};

TEST_P(Coexistence, BesideABusyParallelLoop) {
  const BusyParallelLoop busy;
  compare(GetParam());
  EXPECT_EQ(equal, 1);
}

TEST_P(Coexistence, InTheBodyOfAParallelLoop) {
  static std::atomic<int> threads;
  threads = GetParam();
  in_a_parallel_loop(6, [](int) { compare(threads); });
  EXPECT_EQ(equal, 6);
}

TEST_P(Coexistence, WhereOneTbbMayUseOneThreadOnly) {
  static std::atomic<int> threads;
  threads = GetParam();
  with_parallelism(1, [] { compare(threads); });
  EXPECT_EQ(equal, 1);
}

#ifdef _OPENMP
TEST_P(Coexistence, ASessionInEachThreadOfAnOpenMpRegion) {
  static std::atomic<int> threads;
  threads = GetParam();
#pragma omp parallel num_threads(3)
  compare(threads);
  EXPECT_EQ(equal, 3);
}

TEST_P(Coexistence, BesideABusyOpenMpLoop) {
  std::atomic<bool> over = false;
  std::atomic<int> rounds = 0;
  std::thread other([&] {
    while (!over) {
#pragma omp parallel num_threads(2)
      {
        std::atomic<int> spins = 0;
        for (int i = 0; i < 10000; ++i) spins.fetch_add(1, std::memory_order_relaxed);
      }
      ++rounds;
    }
  });
  while (rounds == 0) std::this_thread::yield();
  compare(GetParam());
  over = true;
  other.join();
  EXPECT_EQ(equal, 1);
}
#endif

INSTANTIATE_TEST_SUITE_P(, Coexistence, testing::Values(2, 3, 5, 8));

}  // namespace
}  // namespace gradmill
