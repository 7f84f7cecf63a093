// How much of its speed a session keeps beside other work on the same cores.
// Usage: coexistence [THREADS [SECONDS [ROUNDS]]]
//
// Trains `mlp` alone, in two processes at once, beside a busy OpenMP loop of the same process, and
// beside a busy oneTBB loop of it, each on every core. The measurements take turns, each in a
// process of its own. Prints the throughput as a share of that alone, medians over the rounds.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif
#include <tbb/parallel_for.h>

#include <gradmill/gradmill.h>
#include <gradmill/runtime/threads/cpus.h>

#include "workloads/workload.h"

namespace gradmill::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Steps per second.
double train(int threads, double seconds) {
  const auto workload = make_workload("mlp");
  SessionOptions options = workload->options;
  options.threads = threads;
  Session session(workload->graph, options);
  std::size_t i = 0;
  const auto steps_in = [&](double limit) {
    const auto start = Clock::now();
    const std::size_t first = i;
    while (seconds_since(start) < limit) {
      session.run(workload->batches[i++ % workload->batches.size()]);
    }
    return static_cast<double>(i - first) / seconds_since(start);
  };
  steps_in(seconds / 4);
  return steps_in(seconds);
}

/// Work of about 0.1 ms that needs no memory.
void be_busy() {
  volatile double x = 1;
  for (int i = 0; i < 50000; ++i) x = x * 1.0000001;
}

double beside(const std::function<void(int cores, const std::atomic<bool>& over)>& loop,
              int threads, double seconds) {
  std::atomic<bool> over = false;
  std::thread other([&] { loop(allowed_cpus(), over); });
  const double speed = train(threads, seconds);
  over = true;
  other.join();
  return speed;
}

#ifdef _OPENMP
void openmp_loop(int cores, const std::atomic<bool>& over) {
  while (!over) {
#pragma omp parallel for num_threads(cores) schedule(static)
    for (int i = 0; i < 64; ++i) be_busy();
  }
}
#endif

void onetbb_loop(int cores, const std::atomic<bool>& over) {
  while (!over) tbb::parallel_for(0, 32 * cores, [](int) { be_busy(); });
}

/// Runs `work` in `count` processes at once; returns the result of each.
std::vector<double> in_processes(int count, const std::function<double()>& work) {
  std::vector<int> ends;
  for (int i = 0; i < count; ++i) {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) std::abort();
    const pid_t child = fork();
    if (child < 0) std::abort();
    if (child == 0) {
      const double found = work();
      const bool told = write(pipe_ends[1], &found, sizeof found) == sizeof found;
      _exit(told ? 0 : 1);
    }
    close(pipe_ends[1]);
    ends.push_back(pipe_ends[0]);
  }
  std::vector<double> results;
  for (const int end : ends) {
    double found = 0;
    if (read(end, &found, sizeof found) != sizeof found) std::abort();
    close(end);
    results.push_back(found);
  }
  while (wait(nullptr) > 0) {
  }
  return results;
}

void print(const char* what, std::vector<double> shares, double target) {
  std::ranges::sort(shares);
  std::printf("%-36s %5.1f %%  (%.1f to %.1f)  target >= %.0f %%\n", what,
              100 * shares[shares.size() / 2], 100 * shares.front(), 100 * shares.back(),
              100 * target);
}

int run(int threads, double seconds, int rounds) {
  std::vector<double> pairs;
  std::vector<double> openmp;
  std::vector<double> onetbb;
  std::vector<double> alone;
  for (int i = 0; i < rounds; ++i) {
    const double lone = in_processes(1, [&] { return train(threads, seconds); })[0];
    alone.push_back(lone);
    const auto both = in_processes(2, [&] { return train(threads, seconds); });
    pairs.push_back(*std::ranges::min_element(both) / lone);
#ifdef _OPENMP
    openmp.push_back(in_processes(1, [&] { return beside(openmp_loop, threads, seconds); })[0] /
                     lone);
#endif
    onetbb.push_back(in_processes(1, [&] { return beside(onetbb_loop, threads, seconds); })[0] /
                     lone);
  }
  std::ranges::sort(alone);
  std::printf("mlp, %d threads on %d cores, alone: %.0f steps/s\n", threads, allowed_cpus(),
              alone[alone.size() / 2]);
  print("two processes, the slower", pairs, 0.40);
  if (!openmp.empty()) print("beside a busy OpenMP loop", openmp, 0.35);
  print("beside a busy oneTBB loop", onetbb, 0.35);
  return 0;
}

}  // namespace
}  // namespace gradmill::bench

int main(int argc, char** argv) {
  // Its idle threads should be busy as well, which the OpenMP library decides when it is loaded.
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) {
    setenv("OMP_WAIT_POLICY", "active", 1);
    setenv("GOMP_SPINCOUNT", "infinite", 1);
    execv("/proc/self/exe", argv);
  }
  const int threads = argc > 1 ? std::atoi(argv[1]) : gradmill::allowed_cpus();
  const double seconds = argc > 2 ? std::atof(argv[2]) : 3;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
  if (argc > 4 || threads < 1 || !(seconds > 0) || rounds < 1) {
    std::fprintf(stderr, "usage: %s [THREADS [SECONDS [ROUNDS]]]\n", argv[0]);
    return 2;
  }
  return gradmill::bench::run(threads, seconds, rounds);
}
