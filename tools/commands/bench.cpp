// Measures training steps beside other libraries, each in a process of its own.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <set>
#include <utility>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/threads/cpus.h>

#include "commands/bench_figures.h"
#include "commands/bench_json.h"
#include "commands/bench_measure.h"
#include "commands/bench_memory.h"
#include "commands/bench_peer.h"
#include "commands/bench_rows.h"
#include "commands/bench_table.h"
#include "commands/commands.h"
#include "commands/tuning_file.h"
#include "workloads/workload.h"

namespace gradmill {
namespace {

/// In ascending order, each once; by default 1 and all cores.
std::vector<int> threads_of(const BenchOptions& options) {
  std::set<int> threads(options.threads.begin(), options.threads.end());
  if (threads.empty()) threads = {1, allowed_cpus()};
  return {threads.begin(), threads.end()};
}

/// `names`, and the workloads that give figures: in the order of the tables.
std::vector<std::string> with_figures(std::vector<std::string> names) {
  for (const std::string& name : figure_workloads()) names.push_back(name);
  return names;
}

void check_workloads(const char* option, const std::vector<std::string>& names) {
  const std::vector<std::string> known = with_figures(bench::workload_names());
  for (const std::string& name : names) {
    if (std::ranges::find(known, name) != known.end()) continue;
    std::string all;
    for (const std::string& other : known) all += (all.empty() ? "" : ", ") + other;
    fail(option, " ", name, ": there are ", all);
  }
}

void write_json(const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream out(path);
  check(out.is_open(), "--json ", path, ": cannot be written: ", std::strerror(errno));
  out << text << std::flush;
  if (!out) throw Failure(cat("--json ", path, ": ", std::strerror(errno)));
}

/// Throws Failure naming the peers that failed, if any.
void check_peers(const std::vector<BenchRow>& rows) {
  std::string failed;
  for (const BenchRow& row : rows) {
    for (const PeerRow& peer : row.peers) {
      if (peer.problem.empty()) continue;
      failed += cat(failed.empty() ? "" : "; ", peer.peer, " (", peer.setting.name, ") with ",
                    row.workload, ": ", peer.problem);
    }
  }
  if (!failed.empty()) throw Failure("peers failed: " + failed);
}

/// Measures everything that was asked for, and prints each row as soon as it is known.
class Comparison {
 public:
  Comparison(const BenchOptions& options, std::vector<Peer> peers)
      : options_(options), peers_(std::move(peers)) {}

  void run() {
    keep();
    std::cout << bench_header(machine_, options_) << std::flush;
    const std::vector<std::string> workloads = options_.workloads.empty()
                                                   ? with_figures(bench::default_workload_names())
                                                   : options_.workloads;
    for (const std::string& workload : workloads) {
      if (gives_figures(workload)) {
        for (FigureRow& row : measure_figure_rows(options_, workload, threads_of(options_))) {
          figures_.push_back(std::move(row));
        }
        keep();
        continue;
      }
      for (const int threads : threads_of(options_)) {
        rows_.push_back(measure_row(options_, peers_, workload, threads));
        if (rows_.size() == 1) std::cout << bench_titles(options_);
        std::cout << bench_line(rows_.back(), one_thread_row(rows_, workload)) << std::flush;
        keep();
      }
    }
    if (!rows_.empty()) {
      std::cout << limits_table(rows_) << memory_table(rows_) << peers_table(rows_);
    }
    std::cout << figures_table(figures_);
    check_peers(rows_);
  }

 private:
  /// Writes what is measured so far, so that it is not lost when the rest is interrupted.
  void keep() const {
    if (options_.json.empty()) return;
    write_json(options_.json, bench_json(machine_, options_, rows_, figures_));
  }

  const BenchOptions& options_;
  std::vector<Peer> peers_;
  Machine machine_ = this_machine();
  std::vector<BenchRow> rows_;
  std::vector<FigureRow> figures_;
};

/// --measure and --measure-limit.
int measure_here(const BenchOptions& options) {
  const bool step = !options.measure.empty();
  const char* option = step ? "--measure" : "--measure-limit";
  const std::string& name = step ? options.measure : options.measure_limit;
  check(!step || options.measure_limit.empty(), "--measure and --measure-limit: one at a time");
  check(options.threads.size() <= 1, option, " takes a single number of threads");
  check(options.workloads.empty() && options.peers.empty() && options.json.empty(), option,
        " excludes --workload, --peers and --json");
  check_workloads(option, {name});
  const int threads = threads_of(options).back();
  if (gives_figures(name)) {
    check(step, option, " ", name, ": is not a training step, and has no limit");
    return measure_figures(name, threads);
  }
  return step ? measure_workload(name, threads, options.seconds, options.tuning)
              : measure_workload_limit(name, threads, options.seconds);
}

int replay_here(const BenchOptions& options) {
  check(options.peers.empty() && options.json.empty(), "--replay excludes --peers and --json");
  for (const std::string& name : options.workloads) {
    check(!gives_figures(name), "--replay: ", name, " is not a training step, and has no tiles");
  }
  return replay_bench(options);
}

}  // namespace

int run_bench(const BenchOptions& options) {
  load_tuning(options.tuning);  // throws before anything is measured
  if (!options.measure.empty() || !options.measure_limit.empty()) return measure_here(options);
  check_workloads("--workload", options.workloads);
  if (!options.replay.empty()) return replay_here(options);
  Comparison(options, options.peers.empty() ? std::vector<Peer>{} : find_peers(options.peers))
      .run();
  return 0;
}

}  // namespace gradmill
