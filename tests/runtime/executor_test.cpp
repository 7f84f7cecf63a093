#include <gmock/gmock.h>
#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/plan/step_cost.h>
#include <gtest/gtest.h>
#include <tests/runtime/random_plan.h>
#include "support/error_of.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gradmill {
namespace {

using testing::ElementsAre;

// Runs a function for each tile.
class FunctionKernel : public Kernel {
 public:
  using Body = std::function<void(std::int64_t, const KernelRun&)>;
  FunctionKernel(std::int64_t tiles, Body body) : tiles_(tiles), body_(std::move(body)) {}
  std::int64_t tiles(int) const override { return tiles_; }
  void run(int, std::int64_t tile, const KernelRun& run) const override { body_(tile, run); }
  std::string description() const override { return "function"; }

 private:
  std::int64_t tiles_;
  Body body_;
};

PlanStep step_of(std::int64_t tiles, FunctionKernel::Body body) {
  PlanStep step;
  step.name = step.op = "function";
  step.tiles = tiles;
  step.kernel = std::make_shared<const FunctionKernel>(tiles, std::move(body));
  return step;
}

// The same plan run by loops over steps and tiles, with no executor at all.
std::vector<std::uint64_t> plain_loop(const RandomPlan& random, const StepInfo& info) {
  const Plan& plan = *random.plan;
  std::vector<std::vector<std::uint64_t>> memory;
  for (const PlanBuffer& buffer : plan.buffers) memory.emplace_back(buffer.bytes / 8, 0);
  for (std::size_t b = 0; b < plan.buffers.size(); ++b) {
    if (plan.buffers[b].place != Place::variable) continue;
    const auto* data = static_cast<const std::uint64_t*>(plan.buffers[b].address);
    memory[b].assign(data, data + memory[b].size());
  }
  std::vector<std::uint64_t> scratch(plan.scratch_bytes / 8);
  for (const PlanStep& step : plan.steps) {
    std::vector<void*> inputs;
    std::vector<void*> outputs;
    for (const int b : step.inputs) inputs.push_back(memory[static_cast<std::size_t>(b)].data());
    for (const int b : step.outputs) outputs.push_back(memory[static_cast<std::size_t>(b)].data());
    auto* workspace =
        step.workspace < 0
            ? nullptr
            : reinterpret_cast<std::byte*>(memory[static_cast<std::size_t>(step.workspace)].data());
    const KernelRun run(inputs.data(), outputs.data(), workspace,
                        reinterpret_cast<std::byte*>(scratch.data()), &info);
    for (std::int64_t tile = 0; tile < step.tiles; ++tile) {
      step.kernel->run(step.kernel_phase, tile, run);
    }
  }
  std::vector<std::uint64_t> all;
  for (const auto& buffer : memory) all.insert(all.end(), buffer.begin(), buffer.end());
  return all;
}

void expect_everything_ran_in_order(const RandomPlan& random) {
  EXPECT_EQ(random.watch->violations, 0);
  for (std::size_t i = 0; i < random.plan->steps.size(); ++i) {
    ASSERT_EQ(random.watch->ended[i], random.plan->steps[i].tiles) << "step " << i;
    ASSERT_EQ(random.watch->begun[i], random.plan->steps[i].tiles) << "step " << i;
  }
}

TEST(Executor, SerialEqualsAPlainLoop) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const RandomPlan random(seed, {.steps = 40, .updates = 5});
    const StepInfo info{seed, 0.5};
    const auto expected = plain_loop(random, info);
    Executor executor(random.plan, {.threads = 1, .serial = true});
    random.watch->reset();
    executor.run(info);
    EXPECT_EQ(random.results(executor), expected);
    expect_everything_ran_in_order(random);
  }
}

class ExecutorThreads : public testing::TestWithParam<int> {};

TEST_P(ExecutorThreads, RandomPlansEqualSerialToTheBit) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    const RandomPlanOptions options{.steps = 20 + static_cast<int>(seed) * 43, .updates = 10};
    const RandomPlan one(seed, options);
    const RandomPlan other(seed, options);
    Executor serial(one.plan, {.threads = 1, .serial = true});
    Executor parallel(other.plan, {.threads = GetParam()});
    for (std::uint64_t step = 0; step < 4; ++step) {
      one.watch->reset();
      other.watch->reset();
      serial.run({step, 0});
      parallel.run({step, 0});
      ASSERT_EQ(other.results(parallel), one.results(serial)) << "seed " << seed;
      expect_everything_ran_in_order(other);
    }
  }
}

TEST_P(ExecutorThreads, FiveHundredSteps) {
  const RandomPlanOptions options{.steps = 500, .updates = 50};
  const RandomPlan one(1, options);
  const RandomPlan other(1, options);
  ASSERT_EQ(one.plan->steps.size(), 500U);
  Executor serial(one.plan, {.threads = 1, .serial = true});
  Executor parallel(other.plan, {.threads = GetParam()});
  for (std::uint64_t step = 0; step < 20; ++step) {
    other.watch->reset();
    serial.run({step, 0});
    parallel.run({step, 0});
    ASSERT_EQ(other.results(parallel), one.results(serial));
    expect_everything_ran_in_order(other);
  }
}

TEST_P(ExecutorThreads, AThousandRunsDoNotHang) {
  const RandomPlanOptions options{.steps = 60, .updates = 5};
  const RandomPlan one(3, options);
  const RandomPlan other(3, options);
  Executor serial(one.plan, {.threads = 1, .serial = true});
  Executor parallel(other.plan, {.threads = GetParam()});
  for (std::uint64_t step = 0; step < 1000; ++step) {
    serial.run({step, 0});
    parallel.run({step, 0});
  }
  EXPECT_EQ(other.results(parallel), one.results(serial));
}

INSTANTIATE_TEST_SUITE_P(, ExecutorThreads, testing::Values(1, 2, 4, 8));

TEST(Executor, AnEmptyPlanRuns) {
  const auto plan = std::make_shared<Plan>();
  Executor(plan, {.threads = 1, .serial = true}).run({});
  Executor(plan, {.threads = 2}).run({});
}

TEST(Executor, FindsEveryPlace) {
  auto plan = std::make_shared<Plan>();
  const Type type{DType::f64, {2}};
  std::array<double, 2> variable = {3, 4};
  std::array<double, 2> constant = {5, 6};
  plan->buffers = {{"feed", type, 16, Place::feed},
                   {"variable", type, 16, Place::variable, 0, variable.data()},
                   {"constant", type, 16, Place::constant, 0, constant.data()},
                   {"result", type, 16, Place::arena, 64}};
  plan->arena_bytes = 80;
  PlanStep step = step_of(2, [](std::int64_t tile, const KernelRun& run) {
    run.variable<double>(1)[tile] += run.input<double>(0)[tile];
    run.output<double>(0)[tile] =
        run.variable<double>(1)[tile] * run.input<double>(2)[tile] + run.step().learning_rate;
  });
  step.inputs = {0, 1, 2};
  step.outputs = {3};
  step.writes = {3, 1};
  plan->steps = {step};
  for (const bool serial : {true, false}) {
    variable = {3, 4};
    Executor executor(plan, {.threads = 2, .serial = serial});
    EXPECT_EQ(executor.address(0), nullptr);
    EXPECT_EQ(executor.address(1), variable.data());
    EXPECT_EQ(executor.address(2), constant.data());
    const std::array<double, 2> first = {1, 2};
    executor.bind(0, first.data());
    EXPECT_EQ(executor.address(0), first.data());
    executor.run({0, 0.5});
    const auto* result = static_cast<const double*>(executor.address(3));
    EXPECT_THAT(variable, ElementsAre(4, 6));
    EXPECT_THAT(std::vector(result, result + 2), ElementsAre(20.5, 36.5));
    const std::array<double, 2> second = {-4, -6};
    executor.bind(0, second.data());
    executor.run({1, 0});
    EXPECT_THAT(variable, ElementsAre(0, 0));
    EXPECT_THAT(std::vector(result, result + 2), ElementsAre(0, 0));
  }
}

TEST(Executor, ScratchAndWorkspaceAreAligned) {
  auto plan = std::make_shared<Plan>();
  plan->buffers = {{"workspace", {DType::f64, {1}}, 8, Place::arena, 64}};
  plan->arena_bytes = 72;
  plan->scratch_bytes = 24;
  std::atomic<int> unaligned = 0;
  PlanStep step = step_of(64, [&unaligned](std::int64_t, const KernelRun& run) {
    if (reinterpret_cast<std::uintptr_t>(run.scratch<char>()) % 64 != 0) ++unaligned;
    if (reinterpret_cast<std::uintptr_t>(run.workspace<char>()) % 64 != 0) ++unaligned;
  });
  step.workspace = 0;
  step.writes = {0};
  plan->steps = {step};
  Executor(plan, {.threads = 3}).run({});
  EXPECT_EQ(unaligned, 0);
}

TEST(Executor, RefusesThreadsBelowOne) {
  EXPECT_THAT(error_of([] { Executor(std::make_shared<Plan>(), {.threads = 0}); }),
              testing::HasSubstr("at least 1 is needed, got 0"));
}

PlanStep step_of_flops(double flops, std::vector<int> predecessors) {
  PlanStep step = step_of(1, [](std::int64_t, const KernelRun&) {});
  step.flops = flops;
  step.predecessors = std::move(predecessors);
  return step;
}

TEST(PrefersSerial, WhereTheFlowGraphCannotGain) {
  Plan plan;
  for (int i = 0; i < 4; ++i) plan.steps.push_back(step_of_flops(1e9, {}));
  EXPECT_TRUE(prefers_serial(plan, 1));
  EXPECT_FALSE(prefers_serial(plan, 2));
  for (int i = 1; i < 4; ++i) plan.steps[static_cast<std::size_t>(i)].predecessors = {i - 1};
  EXPECT_TRUE(prefers_serial(plan, 8)) << "a chain of one-tile steps";
  plan.steps.clear();
  for (int i = 0; i < 4; ++i) plan.steps.push_back(step_of_flops(100, {}));
  EXPECT_TRUE(prefers_serial(plan, 8)) << "steps smaller than their dispatch";
}

}  // namespace
}  // namespace gradmill
