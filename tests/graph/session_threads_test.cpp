// Sessions and the threads of the program around them.

#include <gtest/gtest.h>
#include "support/in_tasks.h"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <gradmill/gradmill.h>

#include "probe_op.h"
#include "programs.h"

namespace gradmill {
namespace {

using Outcome = std::map<std::string, Bytes>;

SessionOptions training(Execution execution = Execution::flow_graph) {
  return {.optimizer = AdamW{.lr = 1e-2}, .threads = 2, .execution = execution};
}

std::unique_ptr<Program> small_program() { return mlp(DType::f32, 64, {20, 96, 80, 10}); }

TEST(SessionThreads, TwoSessionsRunAtOnce) {
  const auto program = small_program();
  const Outcome expected = outcome(*program, training(), 20);
  Outcome results[2];
  {
    const auto work = [&](int i) { results[i] = outcome(*program, training(), 20); };
    std::thread first(work, 0);
    std::thread second(work, 1);
    first.join();
    second.join();
  }
  EXPECT_EQ(results[0], expected);
  EXPECT_EQ(results[1], expected);
}

TEST(SessionThreads, ManySessionsOfManySizesRunAtOnce) {
  const auto program = small_program();
  const Outcome expected = outcome(*program, training(), 5);
  std::vector<std::thread> threads;
  std::atomic<int> equal = 0;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      auto options = training();
      options.threads = 1 + i;
      if (outcome(*program, options, 5) == expected) ++equal;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, 6);
}

TEST(SessionThreads, SessionsThatShareParametersTakeTurns) {
  const auto program = small_program();
  Session trainer(program->graph,
                  {.loss = program->loss, .optimizer = SGD{.lr = 1e-3}, .threads = 2});
  Session evaluator(program->graph,
                    {.loss = program->loss, .threads = 2, .parameters = trainer.parameters()});
  std::thread other([&] {
    for (int i = 0; i < 50; ++i) evaluator.run(program->feeds);
  });
  for (int i = 0; i < 50; ++i) trainer.run(program->feeds);
  other.join();
  EXPECT_EQ(trainer.parameters()->step(), 50U);
}

TEST(SessionThreads, RunsOnAnyThread) {
  const auto program = small_program();
  const Outcome expected = outcome(*program, training(), 4);
  Outcome made_elsewhere;
  std::thread([&] { made_elsewhere = outcome(*program, training(), 4); }).join();
  EXPECT_EQ(made_elsewhere, expected);

  // Made here, and run by a new thread each time.
  auto options = training();
  options.loss = program->loss;
  Session session(program->graph, options);
  for (int i = 0; i < 4; ++i) std::thread([&] { session.run(program->feeds); }).join();
  EXPECT_EQ(bytes_of(session.view(program->loss)), expected.at("loss of step 3"));
}

// Given to the tasks by atomics rather than captured: ThreadSanitizer sees no other order between
// oneTBB's threads.
struct ParallelWork {
  const Program* program;
  Execution execution;
  const Outcome* expected;
};
std::atomic<const ParallelWork*> parallel_work = nullptr;
std::atomic<int> parallel_equal = 0;

TEST(SessionThreads, RunsInsideAParallelFor) {
  const auto program = small_program();
  for (const Execution execution : {Execution::flow_graph, Execution::serial}) {
    const Outcome expected = outcome(*program, training(execution), 3);
    const ParallelWork work = {program.get(), execution, &expected};
    parallel_work = &work;
    parallel_equal = 0;
    in_a_parallel_loop(8, [](int) {
      const ParallelWork& mine = *parallel_work;
      if (outcome(*mine.program, training(mine.execution), 3) == *mine.expected) ++parallel_equal;
    });
    EXPECT_EQ(parallel_equal, 8);
  }
}

#ifdef _OPENMP
TEST(SessionThreads, TheCallersOpenMpThreadCountIsAsBefore) {
  const auto program = small_program();
  for (const Execution execution : {Execution::flow_graph, Execution::serial}) {
    for (const int count : {1, 3, 5}) {
      omp_set_num_threads(count);
      auto options = training(execution);
      options.loss = program->loss;
      Session session(program->graph, options);
      EXPECT_EQ(omp_get_max_threads(), count);
      session.run(program->feeds);
      EXPECT_EQ(omp_get_max_threads(), count);
      auto wrong = program->feeds;
      wrong.pop_back();
      refusal_of([&] { session.run(wrong); });
      const auto saved = program->label_data()[0];
      program->label_data()[0] = -1;
      refusal_of([&] { session.run(program->feeds); });
      program->label_data()[0] = saved;
      EXPECT_EQ(omp_get_max_threads(), count);
    }
  }
}
#endif

TEST(SessionThreads, ASecondRunOfTheSameSessionIsRefused) {
  for (const Execution execution : {Execution::flow_graph, Execution::serial}) {
    std::atomic<bool> inside = false;
    std::atomic<bool> released = false;
    Graph graph;
    const Value x = graph.input("x", {4});
    const Value y = probe(x, 1, [&](std::int64_t) {
      inside = true;
      while (!released) std::this_thread::yield();
    });
    Session session(graph, {.fetches = {y}, .threads = 2, .execution = execution});
    const std::vector<float> data = {1, 2, 3, 4};
    std::thread first([&] { session.run({{x, data}}); });
    while (!inside) std::this_thread::yield();
    const std::string message = refusal_of([&] { session.run({{x, data}}); });
    released = true;
    first.join();
    EXPECT_TRUE(mentions(message, {"another run"}));
    EXPECT_EQ(session.view(y).as<float>()[3], 4);
    EXPECT_NO_THROW(session.run({{x, data}}));
  }
}

TEST(SessionThreads, SessionsComeAndGo) {
  const auto program = small_program();
  for (int i = 0; i < 30; ++i) {
    auto options = training();
    options.loss = program->loss;
    options.threads = 1 + i % 5;
    Session session(program->graph, options);
    if (i % 3 != 0) session.run(program->feeds);
  }
}

}  // namespace
}  // namespace gradmill
