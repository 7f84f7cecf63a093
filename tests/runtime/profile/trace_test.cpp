// Traces of sessions: what is in them, what they must not change, and what is refused.

#include <gradmill/gradmill.h>
#include <gradmill/runtime/profile.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "graph/programs.h"
#include "support/temp_folder.h"
#include "trace_check.h"

namespace gradmill {
namespace {

constexpr int kRuns = 3;

double flops_of(const Plan& plan) {
  double flops = 0;
  for (const PlanStep& step : plan.steps) flops += step.flops;
  return flops;
}

std::size_t tiles_of(const Plan& plan) {
  std::int64_t tiles = 0;
  for (const PlanStep& step : plan.steps) tiles += step.tiles;
  return static_cast<std::size_t>(tiles);
}

std::size_t edges_of(const Plan& plan) {
  std::size_t edges = 0;
  for (const PlanStep& step : plan.steps) edges += step.predecessors.size();
  return edges;
}

SessionOptions training(const Program& program, int threads, Execution execution) {
  return {.loss = program.loss,
          .optimizer = AdamW{},
          .fetches = program.fetches,
          .threads = threads,
          .execution = execution};
}

std::unique_ptr<Program> program_of(int number) {
  switch (number) {
    case 0: return mlp(DType::f32, 64, {96, 300, 300, 10});
    case 1: return branches(DType::f64, 16, 32, 48);
    default: return random_program(DType::f32, static_cast<std::uint64_t>(number), 60);
  }
}

struct Case {
  int program;
  int threads;
  Execution execution;
};

class Tracing : public testing::TestWithParam<Case> {};

TEST_P(Tracing, TheFileKeepsTheRulesAndTellsAll) {
  const auto& [number, threads, execution] = GetParam();
  const auto program = program_of(number);
  Session session(program->graph, training(*program, threads, execution));
  session.run(program->feeds);  // not traced
  session.start_trace();
  for (int i = 0; i < kRuns; ++i) session.run(program->feeds);
  const TempFolder folder;
  session.stop_trace(folder / "trace.json");

  const auto sessions = check_trace(read_trace(folder / "trace.json"));
  ASSERT_EQ(sessions.size(), 1U);
  const SessionEvents& events = sessions.at(1);
  const Plan& plan = session.plan();
  const std::size_t lanes = session.serial() ? 1U : static_cast<std::size_t>(threads);
  EXPECT_EQ(events.lanes.size(), lanes + 1);
  EXPECT_EQ(events.lanes.at(2000), "session 1 steps");
  EXPECT_EQ(events.lanes.at(2001), "session 1 worker 0");
  EXPECT_EQ(events.steps, kRuns);
  EXPECT_EQ(events.markers, kRuns);
  EXPECT_EQ(events.arrows, kRuns * edges_of(plan));
  EXPECT_EQ(events.dropped_runs, 0U);
  ASSERT_EQ(events.run_tiles.size(), kRuns);
  for (const auto& [run, tiles] : events.run_tiles) {
    EXPECT_GE(run, 1U);
    EXPECT_EQ(tiles, tiles_of(plan));
    EXPECT_NEAR(events.run_flops.at(run), flops_of(plan), 1e-9 * flops_of(plan));
  }
  EXPECT_LE(events.most_running, lanes);
  EXPECT_LE(events.most_live_bytes, static_cast<double>(plan.arena_bytes));
  if (session.serial()) {
    EXPECT_EQ(events.most_live_bytes, static_cast<double>(memory_of(plan).peak_bytes));
  }
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return cat("program", info.param.program, "_", info.param.threads, "threads",
             info.param.execution == Execution::serial ? "_serial" : "");
}

INSTANTIATE_TEST_SUITE_P(
    All, Tracing,
    testing::Values(Case{0, 1, Execution::serial}, Case{0, 2, Execution::flow_graph},
                    Case{0, 4, Execution::flow_graph}, Case{1, 1, Execution::flow_graph},
                    Case{1, 2, Execution::flow_graph}, Case{1, 3, Execution::serial},
                    Case{2, 2, Execution::flow_graph}, Case{3, 4, Execution::flow_graph},
                    Case{4, 1, Execution::serial}),
    case_name);

TEST(Trace, EveryTileIsThereOnceWithItsTimes) {
  const auto program = program_of(0);
  for (const int threads : {1, 2}) {
    Session session(program->graph, training(*program, threads, Execution::flow_graph));
    session.start_trace();
    for (int i = 0; i < kRuns; ++i) session.run(program->feeds);
    const Trace trace = session.stop_trace();
    EXPECT_EQ(trace.plan.get(), &session.plan());
    EXPECT_EQ(trace.lanes, threads);
    ASSERT_EQ(trace.runs.size(), kRuns);
    for (std::size_t r = 0; r < trace.runs.size(); ++r) {
      const TracedRun& run = trace.runs[r];
      EXPECT_EQ(run.number, r);
      EXPECT_FALSE(run.failed);
      std::set<std::pair<int, int>> seen;
      std::vector<std::int64_t> ends(trace.plan->steps.size(), 0);
      for (const TracedTile& tile : run.tiles) {
        EXPECT_TRUE(seen.emplace(tile.step, tile.tile).second);
        EXPECT_LE(run.begin_ns, tile.begin_ns);
        EXPECT_LE(tile.begin_ns, tile.end_ns);
        EXPECT_LE(tile.end_ns, run.end_ns);
        EXPECT_GE(tile.lane, 0);
        EXPECT_LT(tile.lane, threads);
        const auto step = static_cast<std::size_t>(tile.step);
        ends[step] = std::max(ends[step], tile.end_ns);
      }
      EXPECT_EQ(seen.size(), tiles_of(*trace.plan));
      for (const TracedTile& tile : run.tiles) {
        for (const int p : trace.plan->steps[static_cast<std::size_t>(tile.step)].predecessors) {
          EXPECT_LE(ends[static_cast<std::size_t>(p)], tile.begin_ns);
        }
      }
    }
  }
}

TEST(Trace, BitsAreTheSameTracedOrNot) {
  for (const int number : {0, 1, 2, 3}) {
    const auto program = program_of(number);
    const SessionOptions plain = training(*program, 1, Execution::serial);
    const auto expected = outcome(*program, plain);
    for (const int threads : {1, 2, 4}) {
      const TempFolder folder;
      SessionOptions options = training(*program, threads, Execution::flow_graph);
      options.trace = std::make_shared<TraceFile>(folder / "trace.json.gz");
      EXPECT_EQ(outcome(*program, options), expected) << "program " << number;
      options.trace->close();
      EXPECT_FALSE(read_trace(folder / "trace.json.gz").empty());
    }
  }
}

TEST(Trace, NamesMayHoldAnything) {
  Graph graph;
  const Value x = graph.input("x", {4});
  const Value y = tanh(x, "quote\" back\\slash\nline </script> \x01\xff");
  Session session(graph, {.fetches = {y}});
  const std::vector<float> data(4, 0.5F);
  session.start_trace();
  session.run({{x, data}});
  const TempFolder folder;
  session.stop_trace(folder / "trace.json");
  const nlohmann::json events = read_trace(folder / "trace.json");
  check_trace(events);
  EXPECT_TRUE(std::ranges::any_of(events, [](const nlohmann::json& event) {
    return event.at("name") == "quote\" back\\slash\nline </script> \x01\xEF\xBF\xBD";
  }));
}

TEST(Trace, IsStartedOnceAndStoppedOnce) {
  const auto program = program_of(2);
  Session session(program->graph, training(*program, 2, Execution::flow_graph));
  EXPECT_TRUE(mentions(refusal_of([&] { session.stop_trace(); }), {"stop_trace", "no trace"}));
  EXPECT_TRUE(mentions(refusal_of([&] { session.stop_trace("/tmp/x"); }), {"no trace"}));
  session.start_trace();
  EXPECT_TRUE(mentions(refusal_of([&] { session.start_trace(); }), {"start_trace", "already"}));
  session.run(program->feeds);
  EXPECT_EQ(session.stop_trace().runs.size(), 1U);
  EXPECT_TRUE(mentions(refusal_of([&] { session.stop_trace(); }), {"no trace"}));
  session.start_trace();
  EXPECT_TRUE(session.stop_trace().runs.empty());
}

TEST(Trace, APathThatCannotBeWrittenLosesNothing) {
  const auto program = program_of(2);
  Session session(program->graph, training(*program, 2, Execution::flow_graph));
  session.start_trace();
  session.run(program->feeds);
  EXPECT_TRUE(mentions(refusal_of([&] { session.stop_trace("/no/such/folder/t.json"); }),
                       {"/no/such/folder/t.json", "No such file"}));
  session.run(program->feeds);
  const TempFolder folder;
  session.stop_trace(folder / "trace.json");
  EXPECT_EQ(check_trace(read_trace(folder / "trace.json")).at(1).steps, 2U);
}

TEST(Trace, AFullDiskIsAFailure) {
  const auto program = program_of(2);
  Session session(program->graph, training(*program, 2, Execution::flow_graph));
  session.start_trace();
  session.run(program->feeds);
  EXPECT_THROW(session.stop_trace("/dev/full"), Failure);
  EXPECT_EQ(session.stop_trace().runs.size(), 1U);
}

TEST(Trace, WhatFindsNoRoomIsCountedInWholeRuns) {
  const auto program = program_of(2);
  Session session(program->graph, training(*program, 2, Execution::flow_graph));
  const std::size_t tiles = tiles_of(session.plan());
  session.start_trace({.max_tiles = 2 * tiles + tiles / 2});
  for (int i = 0; i < 5; ++i) session.run(program->feeds);
  const TempFolder folder;
  session.stop_trace(folder / "trace.json");
  const SessionEvents events = check_trace(read_trace(folder / "trace.json")).at(1);
  EXPECT_EQ(events.steps, 2U);
  EXPECT_EQ(events.dropped_runs, 3U);

  session.start_trace({.max_tiles = 0});
  session.run(program->feeds);
  const Trace trace = session.stop_trace();
  EXPECT_TRUE(trace.runs.empty());
  EXPECT_EQ(trace.dropped_runs, 1U);
  EXPECT_EQ(trace.dropped_tiles, tiles);
}

TEST(Trace, AFailedStepIsMarkedAndTheNextOneIsWhole) {
  const auto program = mlp(DType::f32, 16, {20, 32, 10});
  Session session(program->graph, training(*program, 2, Execution::flow_graph));
  std::int64_t& label = program->label_data()[3];
  const std::int64_t good = std::exchange(label, 10);
  session.start_trace();
  EXPECT_THROW(session.run(program->feeds), Error);
  label = good;
  session.run(program->feeds);
  const TempFolder folder;
  session.stop_trace(folder / "trace.json");
  const nlohmann::json events = read_trace(folder / "trace.json");
  const SessionEvents found = check_trace(events).at(1);
  EXPECT_EQ(found.steps, 2U);
  EXPECT_LT(found.run_tiles.at(0), tiles_of(session.plan()));
  EXPECT_TRUE(std::ranges::any_of(events, [](const nlohmann::json& event) {
    // The one that failed is there.
    return event.at("ph") == "X" && event.at("args").at("run") == 0 &&
           event.at("args").value("op", "").starts_with("cross_entropy");
  }));
  EXPECT_EQ(found.run_tiles.at(1), tiles_of(session.plan()));
  EXPECT_TRUE(std::ranges::any_of(
      events, [](const nlohmann::json& event) { return event.at("name") == "step 0 (failed)"; }));
}

TEST(Trace, OfNoPlanIsRefused) {
  EXPECT_TRUE(mentions(refusal_of([] { write_trace(Trace{}, "/dev/null"); }), {"no plan"}));
  EXPECT_TRUE(mentions(refusal_of([] { make_profile(Trace{}); }), {"profile", "none"}));
}

TEST(Trace, IsRefusedDuringARun) {
  // A kernel that calls back into its own session, as another thread would.
  Graph graph;
  const Value x = graph.input("x", {1});
  Session* running = nullptr;
  std::string refusal;
  struct Hook final : Kernel {
    explicit Hook(std::function<void()> work) : call(std::move(work)) {}
    std::int64_t tiles(int) const override { return 1; }
    void run(int, std::int64_t, const KernelRun&) const override { call(); }
    std::string description() const override { return "hook"; }
    std::function<void()> call;
  };
  struct HookOp final : Op {
    explicit HookOp(std::function<void()> work) : call(std::move(work)) {}
    std::string_view name() const override { return "hook"; }
    std::vector<Type> infer(std::span<const Type> inputs) const override { return {inputs[0]}; }
    std::unique_ptr<Kernel> prepare(const PrepareContext&) const override {
      return std::make_unique<Hook>(call);
    }
    std::function<void()> call;
  };
  const auto hook =
      std::make_shared<HookOp>([&] { refusal = refusal_of([&] { running->start_trace(); }); });
  const Value y = graph.add(hook, {x}).front();
  Session session(graph, {.fetches = {y}, .execution = Execution::serial});
  running = &session;
  const std::vector<float> data(1, 0.0F);
  session.run({{x, data}});
  EXPECT_TRUE(mentions(refusal, {"start_trace", "going on"}));
}

}  // namespace
}  // namespace gradmill
