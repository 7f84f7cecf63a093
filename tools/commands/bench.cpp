// Measures training steps beside other libraries, each in a process of its own.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

#include <gradmill/runtime/cpus.h>
#include <gradmill/runtime/error.h>

#include "commands/bench_measure.h"
#include "commands/bench_peer.h"
#include "commands/bench_rows.h"
#include "commands/bench_table.h"
#include "commands/commands.h"
#include "workloads/workload.h"

namespace gradmill {
namespace {

/// Without threads given: 1 and all.
std::vector<int> threads_of(const BenchOptions& options) {
  if (!options.threads.empty()) return options.threads;
  const int all = allowed_cpus();
  return all == 1 ? std::vector{1} : std::vector{1, all};
}

void check_workloads(const std::vector<std::string>& names) {
  const std::vector<std::string> known = bench::workload_names();
  for (const std::string& name : names) {
    if (std::ranges::find(known, name) != known.end()) continue;
    std::string all;
    for (const std::string& other : known) all += (all.empty() ? "" : ", ") + other;
    fail("--workload ", name, ": there are ", all);
  }
}

void write_json(const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream out(path);
  check(out.is_open(), "--json ", path, ": cannot be written: ", std::strerror(errno));
  out << text << std::flush;
  if (!out) throw Failure(cat("--json ", path, ": ", std::strerror(errno)));
}

const BenchRow* one_thread_row(const std::vector<BenchRow>& rows, const std::string& workload) {
  const auto found = std::ranges::find_if(
      rows, [&](const BenchRow& row) { return row.workload == workload && row.threads == 1; });
  return found == rows.end() ? nullptr : &*found;
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

int compare(const BenchOptions& options) {
  check_workloads(options.workloads);
  const std::vector<Peer> peers =
      options.peers.empty() ? std::vector<Peer>{} : find_peers(options.peers);
  const Machine machine = this_machine();
  std::vector<BenchRow> rows;
  if (!options.json.empty()) write_json(options.json, bench_json(machine, options, rows));
  std::cout << bench_header(machine, options) << std::flush;
  for (const std::string& workload :
       options.workloads.empty() ? bench::workload_names() : options.workloads) {
    for (const int threads : threads_of(options)) {
      rows.push_back(measure_row(options, peers, workload, threads));
      std::cout << bench_line(rows.back(), one_thread_row(rows, workload)) << std::flush;
      // What is measured so far is not lost when the rest is cut short.
      if (!options.json.empty()) write_json(options.json, bench_json(machine, options, rows));
    }
  }
  std::cout << limits_table(rows) << peers_table(rows);
  check_peers(rows);
  return 0;
}

}  // namespace

int run_bench(const BenchOptions& options) {
  if (!options.replay.empty()) {
    check_workloads(options.workloads);
    return replay_bench(options);
  }
  const bool one = !options.measure.empty();
  if (!one && options.measure_limit.empty()) return compare(options);
  const std::vector<int> threads = threads_of(options);
  check(!one || options.measure_limit.empty(), "--measure and --measure-limit: one at a time");
  check(options.threads.size() <= 1, one ? "--measure" : "--measure-limit",
        " takes one number of threads");
  return one ? measure_workload(options.measure, threads.back(), options.seconds)
             : measure_workload_limit(options.measure_limit, threads.back(), options.seconds);
}

}  // namespace gradmill
