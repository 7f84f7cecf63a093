#include <gmock/gmock.h>
#include <gradmill/runtime/executor/executor.h>
#include <gtest/gtest.h>
#include <tests/runtime/random_plan.h>
#include "support/error_of.h"

#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <typeinfo>

namespace gradmill {
namespace {

struct Runner {
  int threads;
  bool serial;
};

// Printed by GoogleTest, which would show the bytes otherwise.
std::ostream& operator<<(std::ostream& out, const Runner& runner) {
  return out << runner.threads << (runner.serial ? " serial" : " threads");
}

std::string name_of(const testing::TestParamInfo<Runner>& info) {
  return info.param.serial ? "Serial" : cat("Threads", info.param.threads);
}

class ExecutorFailure : public testing::TestWithParam<Runner> {
 protected:
  static ExecutorOptions options() {
    return {.threads = GetParam().threads, .serial = GetParam().serial};
  }
};

// The failure that comes first in plan order.
std::string first_of(const RandomPlan& plan) {
  const auto [step, tile] = *plan.watch->failures.begin();
  const PlanStep& failed = plan.plan->steps[static_cast<std::size_t>(step)];
  return cat(failed.op, " '", failed.name, "': step ", step, " tile ", tile, " refuses");
}

TEST_P(ExecutorFailure, TheFirstInPlanOrderReachesTheCaller) {
  std::mt19937 random(7);
  for (unsigned seed = 0; seed < 6; ++seed) {
    const RandomPlanOptions shape{
        .steps = 30 + static_cast<int>(seed) * 90, .updates = 8, .fallible = true};
    const int fallible = shape.steps - shape.updates;
    const RandomPlan plan(seed, shape);
    const RandomPlan clean(seed, shape);
    Executor executor(plan.plan, options());
    Executor reference(clean.plan, {.threads = 1, .serial = true});
    for (std::uint64_t step = 0; step < 12; ++step) {
      const auto variables = plan.variable_values();
      Watch& watch = *plan.watch;
      watch.reset();
      const int count = 1 + static_cast<int>(random() % 4);
      for (int i = 0; i < count; ++i) {
        const int at = static_cast<int>(random() % static_cast<unsigned>(fallible));
        const auto tiles = plan.plan->steps[static_cast<std::size_t>(at)].tiles;
        watch.failures.insert({at, static_cast<std::int64_t>(random()) % tiles});
      }
      EXPECT_EQ(error_of([&] { executor.run({step, 0}); }), first_of(plan));

      EXPECT_EQ(watch.violations, 0);
      const auto [failed_step, failed_tile] = *watch.failures.begin();
      for (int i = 0; i < failed_step; ++i) ASSERT_TRUE(plan.completed(i)) << "step " << i;
      for (int i = fallible; i < shape.steps; ++i) {
        ASSERT_EQ(watch.begun[static_cast<std::size_t>(i)], 0) << "update " << i;
      }
      EXPECT_EQ(plan.variable_values(), variables);

      watch.failures.clear();
      watch.reset();
      executor.run({step, 0});
      reference.run({step, 0});
      EXPECT_EQ(watch.violations, 0);
      ASSERT_EQ(plan.results(executor), clean.results(reference));
    }
  }
}

TEST_P(ExecutorFailure, AThousandFailuresDoNotHang) {
  const RandomPlanOptions shape{.steps = 60, .updates = 5, .fallible = true};
  const RandomPlan plan(11, shape);
  const RandomPlan clean(11, shape);
  Executor executor(plan.plan, options());
  Executor reference(clean.plan, {.threads = 1, .serial = true});
  std::mt19937 random(3);
  Watch& watch = *plan.watch;
  for (std::uint64_t step = 0; step < 1000; ++step) {
    const int at = static_cast<int>(random() % 55);
    watch.failures = {{at, 0}, {54, 0}};
    watch.reset();
    ASSERT_EQ(error_of([&] { executor.run({step, 0}); }), first_of(plan));
  }
  watch.failures.clear();
  watch.reset();
  executor.run({5, 0});
  reference.run({5, 0});
  EXPECT_EQ(plan.results(executor), clean.results(reference));
}

// Every tile of the only step fails.
TEST_P(ExecutorFailure, OfManyTilesTheFirstWins) {
  RandomPlan plan(0, {.steps = 1, .fallible = true});
  for (unsigned seed = 1; plan.plan->steps[0].tiles < 5; ++seed) {
    plan = RandomPlan(seed, {.steps = 1, .fallible = true});
  }
  for (std::int64_t tile = 0; tile < plan.plan->steps[0].tiles; ++tile) {
    plan.watch->failures.insert({0, tile});
  }
  Executor executor(plan.plan, options());
  for (int i = 0; i < 200; ++i) {
    plan.watch->reset();
    ASSERT_EQ(error_of([&] { executor.run({}); }), first_of(plan));
  }
}

class ThrowsAnInt : public Kernel {
 public:
  std::int64_t tiles(int) const override { return 3; }
  void run(int, std::int64_t tile, const KernelRun&) const override {
    throw static_cast<int>(tile);
  }
  std::string description() const override { return "throws"; }
};

TEST_P(ExecutorFailure, AnyKindOfExceptionArrivesAsItIs) {
  auto plan = std::make_shared<Plan>();
  PlanStep step;
  step.kernel = std::make_shared<const ThrowsAnInt>();
  step.tiles = 3;
  step.fallible = true;
  plan->steps = {step};
  Executor executor(plan, options());
  int caught = -1;
  try {
    executor.run({});
  } catch (const int tile) {
    caught = tile;
  }
  EXPECT_EQ(caught, 0);
}

struct OwnError : Error {
  using Error::Error;
};

template <class E>
class Throws : public Kernel {
 public:
  std::int64_t tiles(int) const override { return 3; }
  void run(int, std::int64_t tile, const KernelRun&) const override {
    throw E(cat("tile ", tile, " is bad"));
  }
  std::string description() const override { return "throws"; }
};

template <class E>
std::shared_ptr<Plan> plan_that_throws(const std::string& op) {
  auto plan = std::make_shared<Plan>();
  PlanStep step;
  step.op = op;
  step.name = "rows";
  step.kernel = std::make_shared<const Throws<E>>();
  step.tiles = 3;
  step.fallible = true;
  plan->steps = {step};
  return plan;
}

// What exactly an executor throws: the type is the kernel's.
template <class E>
std::string message_of(Executor& executor) {
  try {
    executor.run({});
  } catch (const Error& error) {
    EXPECT_EQ(typeid(error), typeid(E));
    return error.what();
  }
  return "nothing was thrown";
}

TEST_P(ExecutorFailure, TheNodeIsNamedByTheExecutor) {
  Executor error(plan_that_throws<Error>("gather"), options());
  Executor failure(plan_that_throws<Failure>("gather"), options());
  for (int i = 0; i < 3; ++i) {  // nothing is left of the one before
    EXPECT_EQ(message_of<Error>(error), "gather 'rows': tile 0 is bad");
    EXPECT_EQ(message_of<Failure>(failure), "gather 'rows': tile 0 is bad");
  }
}

TEST_P(ExecutorFailure, ErrorsOfOtherTypesOrOfNoOpAreLeftAlone) {
  Executor own(plan_that_throws<OwnError>("gather"), options());
  EXPECT_EQ(message_of<OwnError>(own), "tile 0 is bad");
  Executor nameless(plan_that_throws<Error>(""), options());
  EXPECT_EQ(message_of<Error>(nameless), "tile 0 is bad");
}

INSTANTIATE_TEST_SUITE_P(, ExecutorFailure,
                         testing::Values(Runner{1, true}, Runner{1, false}, Runner{2, false},
                                         Runner{4, false}, Runner{8, false}),
                         name_of);

}  // namespace
}  // namespace gradmill
