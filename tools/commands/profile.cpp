#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/profile.h>
#include <gradmill/runtime/profile/tile_times.h>
#include <gradmill/runtime/threads/cpus.h>

#include "commands/bench_machine.h"
#include "commands/commands.h"
#include "commands/profiled_model.h"
#include "commands/save_path.h"
#include "commands/tuning_file.h"
#include "commands/write_text.h"
#include "report/report.h"
#include "workloads/bandwidth.h"
#include "workloads/compute_rate.h"
#include "workloads/core_thread.h"
#include "workloads/median.h"

namespace gradmill {
namespace {

constexpr double kTurnMs = 15;
constexpr int kTurnSteps = 4;  // the first of a turn finds other sessions' data in the caches
constexpr int kWarmSteps = 3;
constexpr double kBandwidthSeconds = 0.2;
constexpr double kRateSeconds = 0.01;
constexpr double kMigrationSeconds = 2;
constexpr std::size_t kMigrationTurns = 4;
constexpr double kDispatchSeconds = 0.05;

/// A session that runs in turns with others.
class Runner {
 public:
  Runner(ProfiledModel& model, SessionOptions options, int threads)
      : model_(model), threads_(threads) {
    options.threads = threads;
    session_ = std::make_unique<Session>(model.graph(), std::move(options));
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto start = std::chrono::steady_clock::now();
      session_->run(model_.feeds(step_++));
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - start;
      ms_.push_back(took.count());
    }
  }
  void forget() { ms_.clear(); }

  Session& session() { return *session_; }
  int threads() const { return threads_; }
  double median_ms() const { return bench::median(ms_); }

 private:
  ProfiledModel& model_;
  int threads_;
  std::unique_ptr<Session> session_;
  std::size_t step_ = 0;
  std::vector<double> ms_;
};

/// How much slower a session of one thread is when each of its steps runs on another core than the
/// step before.
class Migration {
 public:
  Migration(ProfiledModel& model, SessionOptions options) : runner_(model, std::move(options), 1) {
    const std::vector<int> cores = affinity_cpus();
    if (cores.size() < 2) return;
    for (std::size_t i = 0; i < 2; ++i) {
      threads_[i] = std::make_unique<bench::CoreThread>(cores[i]);
    }
  }

  /// Does nothing once there were enough turns.
  void run(int steps) {
    using Clock = std::chrono::steady_clock;
    if (threads_[0] == nullptr) return;
    if (ratios_.size() >= kMigrationTurns && spent_ > kMigrationSeconds) return;
    const auto start = Clock::now();
    run(1, [](int) { return 0; });  // brings the data to the core
    const double stays = run(steps, [](int) { return 0; });
    ratios_.push_back(run(steps, [](int i) { return (i + 1) % 2; }) / stays);
    spent_ += std::chrono::duration<double>(Clock::now() - start).count();
  }

  /// The slowdown; 1 with a single core.
  double ratio() const { return ratios_.empty() ? 1 : std::max(1.0, bench::median(ratios_)); }

 private:
  template <typename Where>
  double run(int steps, Where&& where) {
    runner_.forget();
    for (int i = 0; i < steps; ++i) {
      threads_.at(static_cast<std::size_t>(where(i)))->run([&] { runner_.run(1); });
    }
    return runner_.median_ms();
  }

  Runner runner_;
  std::array<std::unique_ptr<bench::CoreThread>, 2> threads_;
  std::vector<double> ratios_;
  double spent_ = 0;
};

/// The numbers of threads to measure on this machine: 1, 2, 4, ..., all cores, and `asked`.
std::set<int> threads_to_measure(int asked) {
  std::set<int> threads = {asked};
  const int cores = allowed_cpus();
  for (int count = 1; count < cores; count *= 2) threads.insert(count);
  threads.insert(cores);
  return threads;
}

}  // namespace

int profile(const ProfileCommandOptions& options) {
  const std::array<std::pair<const char*, std::string>, 2> outputs = {
      {{"--html", options.html}, {"--json", options.json}}};
  check_different_files(outputs);
  for (const auto& [option, path] : outputs) {
    if (!path.empty()) check_save_path(path, option);
  }
  const int threads = options.threads > 0 ? options.threads : allowed_cpus();
  ProfiledModel model(options.model, options.optimizer, options.workload);
  const Machine machine = this_machine();
  ProfileOptions report;
  report.title = model.title();
  report.processor = cat(machine.processor, " (", machine.instructions, ")");
  report.cores = machine.cores;
  report.bandwidth_cap_gbs = options.bandwidth;
  if (!options.workers.empty()) report.workers = options.workers;

  SessionOptions session_options = model.options();
  session_options.tuning = load_tuning(options.tuning);
  Runner traced(model, session_options, threads);
  std::vector<std::unique_ptr<Runner>> measured;
  for (const int count : threads_to_measure(threads)) {
    measured.push_back(std::make_unique<Runner>(model, session_options, count));
  }
  // The first steps warm up the caches.
  traced.run(kWarmSteps);
  for (const auto& runner : measured) {
    runner->run(kWarmSteps);
    runner->forget();
  }
  Migration migration(model, session_options);
  // In short turns, so that a change of the machine's speed affects all alike.
  const int turn = std::max(kTurnSteps, static_cast<int>(kTurnMs / traced.median_ms()));
  std::map<int, std::vector<double>> rates;
  traced.session().start_trace({.max_tiles = std::numeric_limits<std::size_t>::max()});
  for (int done = 0; done < options.steps; done += turn) {
    const int steps = std::min(turn, options.steps - done);
    traced.run(steps);
    for (const auto& runner : measured) {
      runner->run(steps);
      rates[runner->threads()].push_back(
          bench::measure_compute_rate(runner->threads(), kRateSeconds));
    }
    migration.run(steps);
  }
  Trace trace = traced.session().stop_trace();
  for (const auto& runner : measured) {
    report.measured.emplace_back(runner->threads(), runner->median_ms());
    report.workers.push_back(runner->threads());
    // Relative to one thread in the same turn, at the same speed of the machine.
    std::vector<double> relative;
    for (std::size_t i = 0; i < rates[1].size(); ++i) {
      relative.push_back(rates[runner->threads()][i] / rates[1][i]);
    }
    report.compute_rates.emplace_back(runner->threads(),
                                      bench::median(rates[1]) * bench::median(relative));
  }
  report.migration = migration.ratio();
  std::ranges::sort(report.workers);
  report.workers.erase(std::unique(report.workers.begin(), report.workers.end()),
                       report.workers.end());
  // With as many threads as really ran: a small plan runs on one.
  report.peaks = {.gflops = std::ranges::max(rates[trace.lanes]),
                  .bandwidth_gbs = bench::measure_bandwidth(trace.lanes, kBandwidthSeconds)};
  report.dispatch_ms = measure_dispatch(*trace.plan, std::max(threads, 2), kDispatchSeconds);

  const Profile found = make_profile(std::move(trace), std::move(report));
  std::cout << profile_text(found) << std::flush;
  if (!options.html.empty()) write_text("--html", options.html, profile_html(found));
  if (!options.json.empty()) write_text("--json", options.json, profile_json(found));
  return 0;
}

}  // namespace gradmill
