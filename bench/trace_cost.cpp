// What tracing costs per training step, from sessions that are otherwise equal and run in short
// turns.
//
//   trace_cost [WORKLOAD [THREADS [SECONDS]]]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include <gradmill/gradmill.h>

#include "workloads/median.h"
#include "workloads/workload.h"

namespace gradmill::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kTurnMs = 40;
constexpr int kWarmSteps = 5;

struct Way {
  std::string name;
  std::unique_ptr<Session> session;
  std::vector<double> ms = {};  // of all steps
  std::vector<double> relative =
      {};  // a turn's median, over that of the first way in the same turn
};

int run(const std::string& name, int threads, double seconds) {
  const auto workload = make_workload(name);
  const std::string folder =
      (std::filesystem::temp_directory_path() / ("trace_cost." + std::to_string(getpid())))
          .string();
  std::filesystem::create_directory(folder);
  std::vector<std::shared_ptr<TraceFile>> files;
  std::vector<Way> ways;
  const auto add = [&](const char* what, const char* file, bool memory) {
    SessionOptions options = workload->options;
    options.threads = threads;
    if (file != nullptr) {
      options.trace = files.emplace_back(std::make_shared<TraceFile>(folder + "/" + file));
    }
    ways.push_back({what, std::make_unique<Session>(workload->graph, options)});
    if (memory) ways.back().session->start_trace({.max_tiles = std::size_t{1} << 24U});
  };
  add("off", nullptr, false);
  add("off again", nullptr, false);
  add("in memory", nullptr, true);
  add("to a file", "trace.json", false);
  add("to a file, gzip", "trace.json.gz", false);

  std::size_t step = 0;
  const auto turn = [&](Way& way, int steps) {
    std::vector<double> ms;
    for (int i = 0; i < steps; ++i) {
      const auto start = Clock::now();
      way.session->run(workload->batches[step++ % workload->batches.size()]);
      ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
    way.ms.insert(way.ms.end(), ms.begin(), ms.end());
    return median(ms);
  };
  for (Way& way : ways) turn(way, kWarmSteps);
  const int steps = std::max(1, static_cast<int>(kTurnMs / median(ways[0].ms)));
  for (Way& way : ways) way.ms.clear();
  const auto start = Clock::now();
  // Each turn has another order, so that no way always follows the same other one.
  for (std::size_t round = 0; Clock::now() - start < std::chrono::duration<double>(seconds);
       ++round) {
    std::vector<double> medians(ways.size());
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const std::size_t at = (i + round) % ways.size();
      medians[at] = turn(ways[at], steps);
    }
    for (std::size_t i = 0; i < ways.size(); ++i)
      ways[i].relative.push_back(medians[i] / medians[0]);
  }
  std::printf("%s, %d threads, %zu turns of %d steps\n%-18s %10s  %s\n", name.c_str(), threads,
              ways[0].relative.size(), steps, "tracing", "median ms", "over off, median of turns");
  for (const Way& way : ways) {
    std::printf("%-18s %10.4f  %.4f\n", way.name.c_str(), median(way.ms), median(way.relative));
  }
  for (const auto& file : files) file->close();
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace gradmill::bench

int main(int argc, char** argv) {
  try {
    return gradmill::bench::run(argc > 1 ? argv[1] : "mlp", argc > 2 ? std::atoi(argv[2]) : 2,
                                argc > 3 ? std::atof(argv[3]) : 20);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "trace_cost: %s\n", error.what());
    return 1;
  }
}
