#include <gmock/gmock.h>
#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/plan.h>
#include <gtest/gtest.h>
#include "support/error_of.h"

#include <memory>
#include <string>

namespace gradmill {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class NoKernel : public Kernel {
 public:
  std::int64_t tiles(int) const override { return 1; }
  void run(int, std::int64_t, const KernelRun&) const override {}
  std::string description() const override { return "none"; }
};

class ValidatePlan : public testing::Test {
 protected:
  ValidatePlan() {
    plan_.buffers = {{"a", {DType::f32, {4}}, 16, Place::arena, 0},
                     {"b", {DType::f32, {4}}, 16, Place::arena, 64}};
    plan_.arena_bytes = 80;
    for (const char* name : {"first", "second"}) {
      PlanStep step;
      step.name = name;
      step.kernel = std::make_shared<const NoKernel>();
      step.inputs = {0};
      step.outputs = {1};
      step.writes = {1};
      plan_.steps.push_back(step);
    }
    plan_.steps[1].predecessors = {0};
  }
  // What is wrong with the plan; executors must refuse it alike.
  std::string problem() const {
    std::string message = error_of([&] { validate(plan_); });
    EXPECT_EQ(error_of([&] { Executor(std::make_shared<Plan>(plan_), {.threads = 2}); }), message);
    EXPECT_THAT(message, StartsWith("plan: "));
    return message;
  }
  Plan plan_;
};

TEST_F(ValidatePlan, AcceptsAGoodOne) { EXPECT_NO_THROW(validate(plan_)); }

TEST_F(ValidatePlan, RefusesAnUnknownBuffer) {
  plan_.steps[1].inputs = {2};
  EXPECT_THAT(problem(), HasSubstr("step 1 'second': names buffer 2 of 2"));
  plan_.steps[1].inputs = {-1};
  EXPECT_THAT(problem(), HasSubstr("names buffer -1 of 2"));
  plan_.steps[1].inputs = {};
  plan_.steps[1].outputs = {7};
  EXPECT_THAT(problem(), HasSubstr("names buffer 7 of 2"));
  plan_.steps[1].outputs = {};
  plan_.steps[1].writes = {8};
  EXPECT_THAT(problem(), HasSubstr("names buffer 8 of 2"));
}

TEST_F(ValidatePlan, RefusesAnUnknownWorkspace) {
  plan_.steps[0].workspace = 2;
  EXPECT_THAT(problem(), HasSubstr("step 0 'first': names workspace 2 of 2"));
  plan_.steps[0].workspace = -2;
  EXPECT_THAT(problem(), HasSubstr("names workspace -2 of 2"));
}

TEST_F(ValidatePlan, RefusesACycle) {
  plan_.steps[0].predecessors = {1};
  EXPECT_THAT(problem(), HasSubstr("step 0 'first': must follow step 1, which is not before it"));
  plan_.steps[0].predecessors = {0};
  EXPECT_THAT(problem(), HasSubstr("cycle"));
  plan_.steps[0].predecessors = {-1};
  EXPECT_THAT(problem(), HasSubstr("must follow step -1"));
}

TEST_F(ValidatePlan, RefusesAStepWithNothingToRun) {
  plan_.steps[1].tiles = 0;
  EXPECT_THAT(problem(), HasSubstr("step 1 'second': has 0 tiles"));
  plan_.steps[0].kernel = nullptr;
  EXPECT_THAT(problem(), HasSubstr("step 0 'first': has no kernel"));
}

TEST_F(ValidatePlan, RefusesABufferOutsideOfTheArena) {
  plan_.arena_bytes = 79;
  EXPECT_THAT(problem(), HasSubstr("buffer 'b' ends outside the arena of 79 bytes"));
  plan_.buffers[1].offset = ~std::size_t{0};
  EXPECT_THAT(problem(), HasSubstr("buffer 'b' ends outside"));
}

}  // namespace
}  // namespace gradmill
