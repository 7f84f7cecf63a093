#include <gradmill/gradmill.h>
#include <gradmill/graph/planning/memory_planner.h>
#include <gradmill/graph/planning/schedule.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

#include "programs.h"
#include "random_plan.h"
#include "sound_memory.h"

namespace gradmill {
namespace {

class RandomPlans : public testing::TestWithParam<int> {};

TEST_P(RandomPlans, ShareBytesOnlyWhereEverySchedulePermits) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Plan plan = random_plan(seed, {.steps = GetParam()});
    derive_predecessors(plan);
    plan_memory(plan, Precedence(plan.steps));
    expect_sound_memory(plan);
    for (std::uint64_t order = 0; order < 5; ++order) expect_intact_in_random_order(plan, order);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Steps, RandomPlans, testing::Values(1, 2, 5, 20, 80));

TEST(MemoryPlanner, AChainReusesBytes) {
  Plan plan;
  for (int i = 0; i < 10; ++i) {
    plan.buffers.push_back({.name = cat("b", i), .type = {}, .bytes = 1000});
    PlanStep step;
    step.name = cat("s", i);
    if (i > 0) step.inputs = {i - 1};
    step.outputs = step.writes = {i};
    plan.steps.push_back(std::move(step));
  }
  derive_predecessors(plan);
  plan_memory(plan, Precedence(plan.steps));
  EXPECT_EQ(plan.arena_bytes, 2 * padded(1000));
}

TEST(MemoryPlanner, IndependentStepsShareNothing) {
  Plan plan;
  for (int i = 0; i < 10; ++i) {
    plan.buffers.push_back({.name = cat("b", i), .type = {}, .bytes = 64});
    PlanStep step;
    step.name = cat("s", i);
    step.outputs = step.writes = {i};
    plan.steps.push_back(std::move(step));
  }
  derive_predecessors(plan);
  plan_memory(plan, Precedence(plan.steps));
  EXPECT_EQ(plan.arena_bytes, 640U);
}

TEST(MemoryPlanner, PlansOfGraphsAreSound) {
  const auto check_plan = [](const Program& program, const SessionOptions& options) {
    const Session session(program.graph, options);
    const Plan& plan = session.plan();
    expect_sound_memory(plan);
    EXPECT_LE(plan.arena_bytes, plan.unshared_bytes);
    for (std::uint64_t order = 0; order < 20; ++order) expect_intact_in_random_order(plan, order);
  };
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const auto program = random_program(DType::f32, seed, 15);
    check_plan(*program, {.loss = program->loss,
                          .optimizer = AdamW{},
                          .fetches = program->fetches,
                          .gradients = program->parameters,
                          .threads = 2});
  }
  const auto program = mlp(DType::f32, 128, {784, 512, 512, 10});
  check_plan(*program, {.loss = program->loss, .optimizer = AdamW{}, .threads = 2});
  const Session session(program->graph,
                        {.loss = program->loss, .optimizer = AdamW{}, .threads = 2});
  EXPECT_LT(session.plan().arena_bytes, session.plan().unshared_bytes);
}

}  // namespace
}  // namespace gradmill
