// A weight's gradient is applied where it is made, tile by tile, and that changes no bit.

#include "fused_update.h"

#include <gmock/gmock.h>
#include <gradmill/graph/planning/schedule.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace gradmill {
namespace {

using testing::HasSubstr;

class FusedUpdate : public RuleTest {};

INSTANTIATE_TEST_SUITE_P(Rules, FusedUpdate, testing::ValuesIn(rules()), name_of);

TEST_P(FusedUpdate, HasTheBitsOfTheUpdateAlone) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    SCOPED_TRACE(to_string(dtype));
    // Many tiles with edges that no vector divides, and single ones.
    const Network network(dtype, 96, {301, 533, 150, 7, 1});
    const SessionOptions fused = network.options(optimizer(), true);
    const Session session(network.graph, fused);
    const auto updates = fused_updates(session.plan());
    EXPECT_EQ(updates.size(), 4U) << "one a weight";
    std::int64_t most = 0;
    for (const PlanStep* step : updates) {
      EXPECT_TRUE(step->outputs.empty()) << "the gradient is not stored";
      EXPECT_THAT(step->kernel->description(), HasSubstr(cat("then ", optimizer()->name())));
      most = std::max(most, step->tiles);
    }
    EXPECT_GE(most, 4);
    const SessionOptions plain = network.options(optimizer(), false);
    EXPECT_TRUE(fused_updates(Session(network.graph, plain).plan()).empty());
    expect_same(network.trained(fused), network.trained(plain));
  }
}

TEST_P(FusedUpdate, HasTheBitsOfTheUpdateAloneWithASumInParts) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    SCOPED_TRACE(to_string(dtype));
    const Network network(dtype, 900, {37, 21, 5});
    SessionOptions fused = network.options(optimizer(), true);
    SessionOptions plain = network.options(optimizer(), false);
    const auto tuning = std::make_shared<Tuning>();
    tuning->set(cat("matmul ", to_string(dtype), " 21x37x900 ta"), {8, 16, 7, 0});
    fused.tuning = plain.tuning = tuning;
    const Session session(network.graph, fused);
    EXPECT_TRUE(std::ranges::any_of(fused_updates(session.plan()), [](const PlanStep* step) {
      return step->kernel_phase == 1;
    })) << "the parts are added up, and the parameter follows, in a phase of their own";
    expect_same(network.trained(fused), network.trained(plain));
  }
}

TEST_P(FusedUpdate, HasTheBitsOfTheUpdateAloneWithPackedOperands) {
  const Network network(DType::f32, 130, {37, 149, 5});
  for (const auto& [packed, text] :
       {std::pair{1, "rhs packed"}, {7, "packed once"}, {8, "bands"}}) {
    SessionOptions fused = network.options(optimizer(), true);
    SessionOptions plain = network.options(optimizer(), false);
    const auto tuning = std::make_shared<Tuning>();
    tuning->set("matmul f32 149x37x130 ta", {40, 17, 1, packed});
    fused.tuning = plain.tuning = tuning;
    const Session session(network.graph, fused);
    EXPECT_TRUE(
        std::ranges::any_of(fused_updates(session.plan()), [text = text](const PlanStep* step) {
          return step->kernel->description().find(text) != std::string::npos;
        }));
    expect_same(network.trained(fused), network.trained(plain));
  }
}

TEST_P(FusedUpdate, IsTheSameWithAnyNumberOfThreads) {
  const Network network(DType::f32, 96, {301, 533, 7});
  SessionOptions options = network.options(optimizer(), true);
  options.execution = Execution::serial;
  const Contents expected = network.trained(options, 2);
  options.execution = Execution::flow_graph;
  for (const int threads : {1, 2, 3, 8}) {
    options.threads = threads;
    expect_same(network.trained(options, 2), expected);
  }
}

// Whatever reads or writes a variable is ordered with whatever else writes it.
TEST_P(FusedUpdate, ComesAfterAllThatReadsTheParameter) {
  const Network network(DType::f32, 32, {20, 30, 10});
  const Session session(network.graph, network.options(optimizer(), true));
  const Plan& plan = session.plan();
  const Precedence precedence(plan.steps);
  const auto touches = [&](int step, int buffer) {
    const PlanStep& s = plan.steps[static_cast<std::size_t>(step)];
    return std::ranges::count(s.inputs, buffer) + std::ranges::count(s.writes, buffer) > 0;
  };
  int checked = 0;
  const int steps = static_cast<int>(plan.steps.size());
  for (int writer = 0; writer < steps; ++writer) {
    for (const int buffer : plan.steps[static_cast<std::size_t>(writer)].writes) {
      if (plan.buffers[static_cast<std::size_t>(buffer)].place != Place::variable) continue;
      for (int other = 0; other < steps; ++other) {
        if (other == writer || !touches(other, buffer)) continue;
        EXPECT_TRUE(precedence.before(other, writer)) << other << " and " << writer;
        ++checked;
      }
    }
  }
  EXPECT_GE(checked, 5) << "every layer reads its weight and bias, and the way back one weight";
}

}  // namespace
}  // namespace gradmill
