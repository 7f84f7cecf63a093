// The same bits with any number of threads, run after run.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "probe_op.h"
#include "programs.h"

namespace gradmill {
namespace {

constexpr int kThreads[] = {1, 2, 3, 8};

struct Case {
  const char* name;
  DType dtype;
  std::shared_ptr<const Optimizer> optimizer;
  std::unique_ptr<Program> (*make)(DType dtype);
};

std::unique_ptr<Program> perceptron(DType dtype) {
  // Large enough for several tiles in each product, and for sizes that no tile divides.
  return mlp(dtype, 150, {170, 290, 210, 10});
}

std::unique_ptr<Program> sixteen_branches(DType dtype) { return branches(dtype, 16, 70, 65); }

std::vector<Case> cases() {
  std::vector<Case> result;
  const std::shared_ptr<const Optimizer> sgd =
      SGD{.lr = 0.05, .momentum = 0.9, .weight_decay = 1e-4, .nesterov = true};
  const std::shared_ptr<const Optimizer> adamw = AdamW{.lr = 1e-3};
  for (const DType dtype : {DType::f32, DType::f64}) {
    const bool single = dtype == DType::f32;
    result.push_back({single ? "mlp_f32_sgd" : "mlp_f64_sgd", dtype, sgd, perceptron});
    result.push_back({single ? "mlp_f32_adamw" : "mlp_f64_adamw", dtype, adamw, perceptron});
    result.push_back(
        {single ? "branches_f32_sgd" : "branches_f64_sgd", dtype, sgd, sixteen_branches});
    result.push_back(
        {single ? "branches_f32_adamw" : "branches_f64_adamw", dtype, adamw, sixteen_branches});
  }
  return result;
}

class Determinism : public testing::TestWithParam<Case> {};

TEST_P(Determinism, SameBitsWithAnyNumberOfThreads) {
  const Case& parameters = GetParam();
  const auto program = parameters.make(parameters.dtype);
  const auto run = [&](int threads, Execution execution) {
    return outcome(
        *program,
        {.optimizer = parameters.optimizer, .threads = threads, .seed = 7, .execution = execution});
  };
  const auto expected = run(1, Execution::serial);
  for (const int threads : kThreads) {
    for (int repeat = 0; repeat < 2; ++repeat) {
      const auto actual = run(threads, Execution::flow_graph);
      ASSERT_EQ(actual.size(), expected.size());
      for (const auto& [name, bytes] : expected) {
        ASSERT_EQ(actual.at(name), bytes) << name << " with " << threads << " threads";
      }
    }
  }
  EXPECT_EQ(run(8, Execution::serial), expected);
  EXPECT_EQ(run(2, Execution::automatic), expected);
}

/// All that decides about bits in a plan.
std::vector<std::string> grid(const Plan& plan) {
  std::vector<std::string> lines;
  for (const PlanStep& step : plan.steps) {
    lines.push_back(cat(step.name, " ", step.op, " ", step.kernel_phase, ": ", step.tiles,
                        " tiles, ", step.kernel->description(), ", ", step.shapes));
  }
  return lines;
}

TEST_P(Determinism, TileGridsDoNotDependOnThreads) {
  const Case& parameters = GetParam();
  const auto program = parameters.make(parameters.dtype);
  const auto plan = [&](int threads, Execution execution) {
    const Session session(program->graph, {.loss = program->loss,
                                           .optimizer = parameters.optimizer,
                                           .threads = threads,
                                           .execution = execution});
    return grid(session.plan());
  };
  const auto expected = plan(1, Execution::automatic);
  for (const int threads : {2, 3, 4, 8, 16, 64}) {
    EXPECT_EQ(plan(threads, Execution::automatic), expected) << threads << " threads";
    EXPECT_EQ(plan(threads, Execution::flow_graph), expected) << threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Determinism, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<Case>& parameter) {
                           return parameter.param.name;
                         });

TEST(Determinism, ProductsHaveTilesForManyThreads) {
  const auto program = mlp(DType::f32, 128, {784, 512, 512, 10});
  const Session session(program->graph,
                        {.loss = program->loss, .optimizer = AdamW{}, .threads = 1});
  std::int64_t most = 0;
  for (const PlanStep& step : session.plan().steps) {
    if (step.flops > 5e7) most = std::max(most, step.tiles);
  }
  EXPECT_GE(most, 4);
}

/// Tiles that wait, for a while, until as many threads as asked for are in one.
TEST(Determinism, AsManyThreadsAsAskedForRunTiles) {
  for (const int threads : {1, 2, 3, 8}) {
    std::mutex mutex;
    std::set<std::thread::id> seen;
    std::atomic<int> distinct = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    Graph graph;
    const Value x = graph.input("x", {64});
    const Value y = probe(x, 64, [&](std::int64_t) {
      {
        const std::lock_guard lock(mutex);
        seen.insert(std::this_thread::get_id());
        distinct = static_cast<int>(seen.size());
      }
      while (distinct < threads && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
      }
    });
    Session session(graph,
                    {.fetches = {y}, .threads = threads, .execution = Execution::flow_graph});
    const std::vector<float> data(64, 1.0F);
    session.run({{x, data}});
    EXPECT_EQ(distinct, threads);
    EXPECT_EQ(seen.count(std::this_thread::get_id()), 1U) << "the caller works along";
  }
}

}  // namespace
}  // namespace gradmill
