// Steps that fit into a number of bytes.

#include <gradmill/gradmill.h>
#include <gradmill/graph/planning/memory_budget.h>
#include <gradmill/runtime/log.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "captured_log.h"
#include "function_op.h"
#include "programs.h"
#include "sound_memory.h"

namespace gradmill {
namespace {

constexpr int kThreads = 2;

SessionOptions trained(const Program& program, std::size_t budget) {
  return {.loss = program.loss, .optimizer = AdamW{}, .threads = kThreads, .memory_budget = budget};
}

SessionOptions with_results(const Program& program, std::size_t budget) {
  SessionOptions options = trained(program, budget);
  options.fetches = program.fetches;
  options.gradients = program.parameters;
  return options;
}

/// The numbers of a refusal: the smallest budget, and what it takes with nothing computed twice.
struct Refusal {
  std::size_t smallest = 0;
  std::size_t variables = 0;
  std::size_t without = 0;
};

std::size_t number_after(const std::string& text, const std::string& before) {
  const std::size_t place = text.find(before);
  EXPECT_NE(place, std::string::npos) << text;
  return place == std::string::npos ? 0 : std::stoull(text.substr(place + before.size()));
}

Refusal refusal(const Graph& graph, SessionOptions options) {
  const std::string text = refusal_of([&] { Session(graph, options); });
  EXPECT_EQ(number_after(text, "memory budget: "), options.memory_budget);
  return {number_after(text, "the smallest plan found takes "), number_after(text, " ("),
          number_after(text, "optimizer state), and ")};
}

std::size_t total(const Graph& graph, const SessionOptions& options) {
  const Session session(graph, options);
  return planned_bytes(session.plan(), session.threads()).total();
}

/// Layers that are as wide as they are many: most of what a step needs are results kept.
std::unique_ptr<Program> deep() {
  return mlp(DType::f32, 256, {64, 64, 64, 64, 64, 64, 64, 64, 10},
             [](Value x) { return tanh(x * sigmoid(x)); });
}

bool computes_twice(const Plan& plan) {
  for (const PlanStep& step : plan.steps) {
    if (step.name.find(".again") != std::string::npos) return true;
  }
  return false;
}

TEST(MemoryBudget, CountsParametersStateArenaAndScratch) {
  const auto program = deep();
  const Session session(program->graph, trained(*program, 0));
  const Plan& plan = session.plan();
  std::size_t parameters = 0;
  for (const std::string& name : session.parameters()->names()) {
    // AdamW's two moments, and a count.
    parameters += 3 * session.parameters()->view(name).type.bytes() + sizeof(std::int64_t);
  }
  for (const int threads : {1, 3}) {
    const PlannedBytes bytes = planned_bytes(plan, threads);
    EXPECT_EQ(bytes.variables, parameters);
    EXPECT_EQ(bytes.arena, plan.arena_bytes);
    EXPECT_EQ(bytes.scratch, plan.scratch_bytes * static_cast<std::size_t>(threads));
    EXPECT_EQ(bytes.total(), bytes.variables + bytes.arena + bytes.scratch);
  }
}

TEST(MemoryBudget, IsKeptOrRefusedWithTheSmallestThatIs) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const auto program =
        seed == 0 ? deep() : random_program(seed % 2 == 0 ? DType::f64 : DType::f32, seed, 20);
    const std::size_t most = total(program->graph, trained(*program, 0));
    EXPECT_EQ(total(program->graph, trained(*program, most)), most) << "nothing needs to change";
    const Refusal refused = refusal(program->graph, trained(*program, 1));
    EXPECT_LE(refused.smallest, refused.without);
    EXPECT_LE(refused.without, most);
    EXPECT_LT(refused.variables, refused.smallest);
    EXPECT_EQ(total(program->graph, trained(*program, refused.smallest)), refused.smallest);
    EXPECT_EQ(refusal(program->graph, trained(*program, refused.smallest - 1)).smallest,
              refused.smallest);
    for (int part = 1; part < 5; ++part) {
      const std::size_t budget =
          refused.smallest + (most - refused.smallest) * static_cast<std::size_t>(part) / 5;
      EXPECT_LE(total(program->graph, trained(*program, budget)), budget);
    }
  }
}

TEST(MemoryBudget, MakesPlansWhoseMemoryIsSound) {
  int twice = 0;
  std::set<std::size_t> sizes;
  for (std::uint64_t seed = 0; seed < 16; ++seed) {
    SCOPED_TRACE(seed);
    const auto program = seed == 0 ? deep() : random_program(DType::f32, seed, 20);
    for (const bool results : {false, true}) {
      const auto options = [&](std::size_t budget) {
        return results ? with_results(*program, budget) : trained(*program, budget);
      };
      const std::size_t most = total(program->graph, options(0));
      const std::size_t least = refusal(program->graph, options(1)).smallest;
      for (int part = 0; part < 4; ++part) {
        const std::size_t budget = least + (most - least) * static_cast<std::size_t>(part) / 4;
        const Session session(program->graph, options(budget));
        const Plan& plan = session.plan();
        validate(plan);
        expect_sound_memory(plan);
        // The walk marks every byte.
        const std::uint64_t orders = seed == 0 ? 2 : 6;
        for (std::uint64_t order = 0; order < orders; ++order) {
          expect_intact_in_random_order(plan, order);
        }
        twice += computes_twice(plan) ? 1 : 0;
        sizes.insert(plan.arena_bytes);
        if (HasFailure()) return;
      }
    }
  }
  EXPECT_GT(twice, 10);
  EXPECT_GT(sizes.size(), 30U);
}

TEST(MemoryBudget, LeavesTheBitsAsTheyAre) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    const auto program =
        seed == 0 ? deep() : random_program(seed % 2 == 0 ? DType::f64 : DType::f32, seed, 20);
    const auto run = [&](std::size_t budget, int threads, Execution execution) {
      return outcome(*program, {.optimizer = AdamW{},
                                .threads = threads,
                                .seed = 5,
                                .execution = execution,
                                .memory_budget = budget});
    };
    const auto expected = run(0, 1, Execution::serial);
    const std::size_t most = total(program->graph, with_results(*program, 0));
    const std::size_t least = refusal(program->graph, with_results(*program, 1)).smallest;
    for (int part = 0; part < 3; ++part) {
      const std::size_t budget = least + (most - least) * static_cast<std::size_t>(part) / 3;
      EXPECT_EQ(run(budget, kThreads, Execution::flow_graph), expected) << budget;
      EXPECT_EQ(run(budget, kThreads, Execution::serial), expected) << budget;
    }
  }
}

// Every node then has a step that checks it, also one that is computed a second time.
TEST(MemoryBudget, GoesWithFiniteChecksAndMicroBatches) {
  const auto program = deep();
  const auto options = [&](std::size_t budget, Execution execution) {
    SessionOptions result = with_results(*program, budget);
    result.gradient_scaling = ClipGradNorm{.max_norm = 0.1};
    result.micro_batches = 2;
    result.check_finite = true;
    result.execution = execution;
    return result;
  };
  const auto expected = outcome(*program, options(0, Execution::serial), 4);
  const std::size_t most = total(program->graph, options(0, Execution::serial));
  const std::size_t least = refusal(program->graph, options(1, Execution::serial)).smallest;
  ASSERT_LT(least, most);
  for (const std::size_t budget : {least, (least + most) / 2}) {
    EXPECT_EQ(outcome(*program, options(budget, Execution::flow_graph), 4), expected);
    const Session session(program->graph, options(budget, Execution::serial));
    expect_sound_memory(session.plan());
    EXPECT_LE(planned_bytes(session.plan(), kThreads).total(), budget);
  }
  // What is not finite is still found before anything is updated.
  Session session(program->graph, options(least, Execution::flow_graph));
  const auto before = bytes_of(*session.parameters());
  std::vector<Feed> feeds = program->feeds;
  std::vector<float> images(256 * 64, std::numeric_limits<float>::quiet_NaN());
  feeds[0] = Feed(feeds[0].input(), images);
  session.run(program->feeds);
  refusal_of([&] { session.run(feeds); });
  EXPECT_EQ(bytes_of(*session.parameters()), before);
  EXPECT_EQ(session.micro_batch(), 1);
}

TEST(MemoryBudget, HalvesWhatADeepModelNeeds) {
  const auto program = deep();
  const Session session(program->graph, trained(*program, 0));
  const PlannedBytes bytes = planned_bytes(session.plan(), kThreads);
  const std::size_t half = bytes.variables + (bytes.total() - bytes.variables) / 2;
  const Session tight(program->graph, trained(*program, half));
  EXPECT_LE(planned_bytes(tight.plan(), kThreads).total(), half);
  EXPECT_TRUE(computes_twice(tight.plan()));
}

/// tanh(x), and how often its kernel was made.
class CountedOp final : public FunctionOp {
 public:
  CountedOp()
      : FunctionOp(each([](double x) { return std::tanh(x); }), [](const GradientContext& context) {
          const Value y = context.outputs[0];
          return context.upstream[0] * (1.0 - y * y);
        }) {}
  std::string_view name() const override { return "counted"; }
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    ++prepared_;
    return FunctionOp::prepare(context);
  }
  int prepared() const { return prepared_; }

 private:
  mutable int prepared_ = 0;
};

TEST(MemoryBudget, MakesEachKernelOnce) {
  std::vector<std::shared_ptr<const CountedOp>> ops;
  const auto program = mlp(DType::f32, 256, {64, 64, 64, 64, 64, 64, 64, 64, 10}, [&](Value x) {
    ops.push_back(std::make_shared<CountedOp>());
    return x * x.graph().add(ops.back(), {x})[0];
  });
  const std::size_t most = total(program->graph, trained(*program, 0));
  const std::size_t least = refusal(program->graph, trained(*program, 1)).smallest;
  const auto prepared = [&] {
    std::vector<int> counts;
    for (const auto& op : ops) counts.push_back(op->prepared());
    return counts;
  };
  for (const std::size_t budget : {least, (least + most) / 2}) {
    std::vector<int> expected = prepared();
    for (int& count : expected) ++count;
    const Session session(program->graph, trained(*program, budget));
    EXPECT_EQ(prepared(), expected) << budget;
    EXPECT_TRUE(std::ranges::any_of(session.plan().steps, [](const PlanStep& step) {
      return step.op == "counted" && step.name.ends_with(".again");
    }));
  }
}

TEST(MemoryBudget, ComputesNothingTwiceWithoutATraining) {
  const auto program = deep();
  const SessionOptions options{.fetches = program->fetches, .threads = kThreads};
  SessionOptions tight = options;
  tight.memory_budget = total(program->graph, options);
  EXPECT_FALSE(computes_twice(Session(program->graph, tight).plan()));
  tight.memory_budget = 1;
  const std::string text = refusal_of([&] { Session(program->graph, tight); });
  EXPECT_TRUE(mentions(text, {"memory budget: 1 bytes are not enough"}));
}

TEST(MemoryBudget, IsLogged) {
  const auto program = deep();
  const std::size_t most = total(program->graph, trained(*program, 0));
  const std::size_t least = refusal(program->graph, trained(*program, 1)).smallest;
  const auto logged = [&](LogLevel level, std::size_t budget) {
    const CapturedLog log(level);
    const Session session(program->graph, trained(*program, budget));
    return std::pair(log.text(), planned_bytes(session.plan(), kThreads).total());
  };
  EXPECT_EQ(logged(LogLevel::warn, least).first, "");
  const auto [info, bytes] = logged(LogLevel::info, least);
  EXPECT_TRUE(mentions(info, {cat("memory budget: ", bytes, " of ", least, " bytes, where ")}));
  EXPECT_TRUE(mentions(info, {" nodes are computed a second time, about "}));
  EXPECT_EQ(info.find(" is computed a second time"), std::string::npos);
  EXPECT_LE(number_after(info, " bytes, where "), most);
  const std::string debug = logged(LogLevel::debug, least).first;
  const std::size_t count = number_after(debug, " were needed; ");
  std::size_t named = 0;
  for (std::size_t place = 0;
       (place = debug.find("' is computed a second time\n", place)) != std::string::npos; ++place) {
    ++named;
  }
  EXPECT_EQ(named, count);
  EXPECT_GT(named, 0U);
  const std::string unchanged = logged(LogLevel::info, most).first;
  EXPECT_TRUE(mentions(unchanged, {cat("memory budget: ", most, " of ", most, " bytes"),
                                   "; 0 nodes are computed a second time"}));
}

}  // namespace
}  // namespace gradmill
