// Traces that are written while the program goes on, by the API and by GRADMILL_TRACE.

#include <gmock/gmock.h>
#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "graph/programs.h"
#include "support/temp_folder.h"
#include "trace_check.h"

namespace gradmill {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int status;  // as of waitpid
  std::string out;
  std::string errors;
};

Outcome probe(const TempFolder& folder, const std::string& environment, const std::string& mode) {
  const std::string errors = folder / "stderr";
  const std::string command =
      "env " + environment + " '" + TRACE_PROBE + "' " + mode + " 2>'" + errors + "'";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "", "popen failed"};
  Outcome outcome = {};
  std::array<char, 4096> buffer;
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.out.append(buffer.data(), count);
  }
  outcome.status = pclose(pipe);
  outcome.errors = read_text(errors);
  return outcome;
}

SessionOptions traced(const Program& program, std::shared_ptr<TraceFile> file) {
  return {.loss = program.loss,
          .optimizer = SGD{.lr = 0.01},
          .threads = 2,
          .execution = Execution::flow_graph,
          .trace = std::move(file)};
}

TEST(TraceFile, HoldsTheSessionsOfAProcessInLanesOfTheirOwn) {
  const auto first = mlp(DType::f32, 32, {20, 64, 10});
  const auto second = branches(DType::f32, 8, 16, 16);
  for (const char* name : {"trace.json", "trace.json.gz"}) {
    const TempFolder folder;
    const auto file = std::make_shared<TraceFile>(folder / name);
    EXPECT_EQ(file->path(), folder / name);
    Session a(first->graph, traced(*first, file));
    Session b(second->graph, traced(*second, file));
    for (int i = 0; i < 3; ++i) {
      a.run(first->feeds);
      b.run(second->feeds);
    }
    b.run(second->feeds);
    file->close();
    file->close();        // is over
    a.run(first->feeds);  // goes nowhere
    const auto sessions = check_trace(read_trace(folder / name));
    ASSERT_EQ(sessions.size(), 2U);
    EXPECT_EQ(sessions.at(1).steps, 3U);
    EXPECT_EQ(sessions.at(2).steps, 4U);
    EXPECT_EQ(sessions.at(2).lanes.at(4001), "session 2 worker 0");
  }
}

TEST(TraceFile, TakesSessionsThatComeAndGoOnOtherThreads) {
  const auto program = mlp(DType::f32, 16, {20, 32, 10});
  const TempFolder folder;
  const auto file = std::make_shared<TraceFile>(folder / "trace.json");
  constexpr int kThreads = 2;
  constexpr int kSessions = 20;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kSessions; ++i) {
        Session session(program->graph, traced(*program, file));
        for (int run = 0; run < 3; ++run) session.run(program->feeds);
        // So that the writer comes by while sessions are made and end.
        std::this_thread::sleep_for(std::chrono::milliseconds(15));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  file->close();
  const auto sessions = check_trace(read_trace(folder / "trace.json"));
  ASSERT_EQ(sessions.size(), static_cast<std::size_t>(kThreads * kSessions));
  for (const auto& [number, events] : sessions) EXPECT_EQ(events.steps, 3U);
}

TEST(TraceFile, ForgetsThePlansOfSessionsThatEnded) {
  const auto program = mlp(DType::f32, 16, {20, 32, 10});
  const TempFolder folder;
  const auto file = std::make_shared<TraceFile>(folder / "trace.json");
  std::weak_ptr<const Plan> plan;
  {
    Session session(program->graph, traced(*program, file));
    session.start_trace();
    session.run(program->feeds);
    plan = session.stop_trace().plan;
  }
  for (int i = 0; i < 200 && !plan.expired(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(plan.expired());
  file->close();
  EXPECT_EQ(check_trace(read_trace(folder / "trace.json")).at(1).steps, 1U);
}

TEST(TraceFile, IsCompressedWhereItsNameSaysSo) {
  const auto program = mlp(DType::f32, 32, {20, 64, 10});
  const TempFolder folder;
  const auto file = std::make_shared<TraceFile>(folder / "trace.json.gz");
  Session session(program->graph, traced(*program, file));
  for (int i = 0; i < 50; ++i) session.run(program->feeds);
  file->close();
  EXPECT_TRUE(read_text(folder / "trace.json.gz").starts_with("\x1f\x8b"));
  EXPECT_LT(std::filesystem::file_size(folder / "trace.json.gz"),
            read_inflated(folder / "trace.json.gz").size() / 4);
}

TEST(TraceFile, SaysWhatItHadNoRoomFor) {
  const auto program = mlp(DType::f32, 32, {20, 64, 10});
  const TempFolder folder;
  const auto file = std::make_shared<TraceFile>(folder / "trace.json", 0);
  Session session(program->graph, traced(*program, file));
  for (int i = 0; i < 5; ++i) session.run(program->feeds);
  file->close();
  const auto sessions = check_trace(read_trace(folder / "trace.json"));
  EXPECT_EQ(sessions.at(1).steps, 0U);
  EXPECT_EQ(sessions.at(1).dropped_runs, 5U);
}

TEST(TraceFile, ThatCannotBeCreatedIsRefused) {
  for (const char* path : {"/no/such/folder/t.json", "/", ""}) {
    EXPECT_TRUE(mentions(refusal_of([&] { TraceFile file(path); }), {path, "cannot be written"}));
  }
}

TEST(TraceFile, AFullDiskStopsTheTraceAndNotTheTraining) {
  const auto program = mlp(DType::f32, 32, {20, 64, 10});
  const auto expected = outcome(*program, traced(*program, nullptr));
  const auto file = std::make_shared<TraceFile>("/dev/full");
  EXPECT_EQ(outcome(*program, traced(*program, file)), expected);
  EXPECT_THROW(file->close(), Failure);
}

TEST(TraceFile, IsNamedByTheEnvironment) {
  const TempFolder folder;
  const Outcome plain = probe(folder, "-u GRADMILL_TRACE", "");
  EXPECT_EQ(plain.status, 0) << plain.errors;
  const Outcome outcome = probe(folder, "GRADMILL_TRACE='" + (folder / "t%p.json") + "'", "");
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(outcome.out, plain.out);
  EXPECT_EQ(outcome.errors, "");
  std::string path;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".json") path = entry.path();
  }
  EXPECT_TRUE(std::regex_match(path, std::regex(".*/t[0-9]+\\.json"))) << path;
  EXPECT_EQ(check_trace(read_trace(path)).at(1).steps, 4U);
}

TEST(TraceFile, OfTheEnvironmentHoldsAllSessions) {
  const TempFolder folder;
  const Outcome outcome = probe(folder, "GRADMILL_TRACE='" + (folder / "t.json.gz") + "'", "two");
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  const auto sessions = check_trace(read_trace(folder / "t.json.gz"));
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_EQ(sessions.at(1).steps, 2U);
  EXPECT_EQ(sessions.at(2).steps, 3U);
  EXPECT_EQ(sessions.at(2).lanes.size(), 4U);
}

TEST(TraceFile, OfTheEnvironmentThatCannotBeWrittenIsLoggedAndTrainingGoesOn) {
  const TempFolder folder;
  const Outcome plain = probe(folder, "-u GRADMILL_TRACE", "");
  for (const char* path : {"/no/such/folder/t.json", "/dev/full"}) {
    const Outcome outcome = probe(folder, cat("GRADMILL_TRACE=", path), "");
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.out, plain.out);
    EXPECT_THAT(outcome.errors, HasSubstr("gradmill error: "));
    EXPECT_THAT(outcome.errors, HasSubstr(path));
    EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 1) << outcome.errors;
  }
}

// What the tail lacks is the last event, perhaps in part, and the closing bracket.
TEST(TraceFile, OfAKilledProcessLacksOnlyItsTail) {
  for (const char* name : {"t.json", "t.json.gz"}) {
    const TempFolder folder;
    const Outcome outcome = probe(folder, "GRADMILL_TRACE='" + (folder / name) + "'", "abort");
    EXPECT_NE(outcome.status, 0);
    std::string text = read_inflated(folder / name);
    EXPECT_THAT(text, Not(testing::EndsWith("]\n")));
    ASSERT_NE(text.rfind(",\n"), std::string::npos);
    text.erase(text.rfind(",\n"));
    const nlohmann::json events = nlohmann::json::parse(text + "\n]\n");
    // Of a second of steps of well under a millisecond, what was flushed before the last tenth.
    EXPECT_GT(events.size(), 1000U);
    std::map<std::string, int> kinds;
    for (const nlohmann::json& event : events) ++kinds[event.at("ph").get<std::string>()];
    EXPECT_GT(kinds["X"], 500);
    EXPECT_GT(kinds["s"], 100);
  }
}

std::size_t lines_with(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return static_cast<std::size_t>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()));
}

TEST(LogLevels, SayWhatTheyPromise) {
  const TempFolder folder;
  const auto log = [&](const std::string& level) {
    return probe(folder, "-u GRADMILL_TRACE GRADMILL_LOG=" + level, "").errors;
  };
  EXPECT_EQ(log("warn"), "");
  const std::string compiled =
      "info: compiled: [0-9]+ nodes, [0-9]+ steps, [0-9]+ tasks for 2 threads, [0-9]+ bytes planned"
      " \\([0-9]+ without reuse\\), [0-9.e+]+ FLOPs per step\n";
  const std::string rewrite = "debug: rewrite: matmul 'fc1' absorbs ";
  const std::string kernel = "debug: forward matmul 'fc1': f32 .* tiles?; dnnl_sgemm";
  const std::string whole = "trace: step [0-9] took [0-9.]+ ms\n";
  const std::string node =
      "trace: step [0-9]: forward matmul 'fc1' began at [0-9.]+ ms, took [0-9.]+ ms, [0-9]+ tiles?,"
      " worker [01](, 1)?\n";
  const std::string info = log("info");
  EXPECT_EQ(lines_with(info, compiled), 1U) << info;
  EXPECT_EQ(std::ranges::count(info, '\n'), 1) << info;
  const std::string debug = log("debug");
  EXPECT_EQ(lines_with(debug, compiled), 1U);
  EXPECT_GE(lines_with(debug, rewrite), 1U) << debug;
  EXPECT_EQ(lines_with(debug, kernel), 1U) << debug;
  EXPECT_EQ(lines_with(debug, "trace:"), 0U);
  const std::string trace = log("trace");
  EXPECT_EQ(lines_with(trace, compiled), 1U);
  EXPECT_EQ(lines_with(trace, kernel), 1U);
  EXPECT_EQ(lines_with(trace, whole), 4U) << trace;
  EXPECT_EQ(lines_with(trace, node), 4U) << trace;
}

}  // namespace
}  // namespace gradmill
