#include "figures.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/plan.h>

#include "bare_flow.h"
#include "median.h"

// The executor alone, on plans whose kernels compute nothing: they return at once, or spin for a
// given time.

namespace gradmill::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kNodes = 10000;
const StepInfo kInfo;

class SpinKernel : public Kernel {
 public:
  explicit SpinKernel(int microseconds) : spin_(std::chrono::microseconds(microseconds)) {}
  std::int64_t tiles(int) const override { return 1; }
  void run(int, std::int64_t, const KernelRun&) const override {
    if (spin_ == Clock::duration::zero()) return;
    const auto start = Clock::now();
    while (Clock::now() - start < spin_) {
    }
  }
  std::string description() const override { return "spin"; }

 private:
  Clock::duration spin_;
};

/// Steps with one kernel each and no buffers; a shape adds the edges.
Plan unordered(int microseconds) {
  Plan plan;
  for (int i = 0; i < kNodes; ++i) {
    PlanStep step;
    step.name = "step" + std::to_string(i);
    step.op = "spin";
    step.kernel = std::make_shared<SpinKernel>(microseconds);
    // What a core of 60 GFLOP/s would do in that time; an empty step declares no cost.
    step.flops = microseconds * 60e3;
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

PlanStep& step_of(Plan& plan, int i) { return plan.steps[static_cast<std::size_t>(i)]; }

void chain(Plan& plan) {
  for (int i = 1; i < kNodes; ++i) step_of(plan, i).predecessors = {i - 1};
}

/// One step, then all the others, then one that joins them.
void fan_out(Plan& plan) {
  for (int i = 1; i + 1 < kNodes; ++i) {
    step_of(plan, i).predecessors = {0};
    plan.steps.back().predecessors.push_back(i);
  }
}

/// A square in which every step follows the one above it and the one to its left.
void grid(Plan& plan) {
  constexpr int kSide = 100;
  static_assert(kSide * kSide == kNodes);
  for (int i = 0; i < kNodes; ++i) {
    if (i >= kSide) step_of(plan, i).predecessors.push_back(i - kSide);
    if (i % kSide > 0) step_of(plan, i).predecessors.push_back(i - 1);
  }
}

/// Each step follows up to three of the 64 before it.
void random(Plan& plan) {
  std::mt19937 generator(5);
  for (int i = 1; i < kNodes; ++i) {
    auto& predecessors = step_of(plan, i).predecessors;
    const unsigned range = static_cast<unsigned>(std::min(i, 64));
    for (unsigned count = generator() % 4; count > 0; --count) {
      predecessors.push_back(i - 1 - static_cast<int>(generator() % range));
    }
    std::ranges::sort(predecessors);
    predecessors.erase(std::unique(predecessors.begin(), predecessors.end()), predecessors.end());
  }
}

struct PlanShape {
  const char* name;
  void (*add_edges)(Plan&);
};

std::shared_ptr<const Plan> make_plan(const PlanShape& shape, int microseconds) {
  auto plan = std::make_shared<Plan>(unordered(microseconds));
  shape.add_edges(*plan);
  return plan;
}

template <class F>
double nanoseconds(F&& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

struct Pair {
  double first;   ///< median, ns
  double second;  ///< median, ns
  double ratio;   ///< median of first / second
};

/// Runs both in turns, `rounds` times after `warm` rounds that do not count.
template <class A, class B>
Pair compare(int warm, int rounds, A&& a, B&& b) {
  std::vector<double> first;
  std::vector<double> second;
  std::vector<double> ratios;
  for (int i = -warm; i < rounds; ++i) {
    const double one = nanoseconds(a);
    const double other = nanoseconds(b);
    if (i < 0) continue;
    first.push_back(one);
    second.push_back(other);
    ratios.push_back(one / other);
  }
  return {median(first), median(second), median(ratios)};
}

void plain_loop(const std::vector<const Kernel*>& kernels) {
  const KernelRun run(nullptr, nullptr, nullptr, nullptr, &kInfo);
  for (const Kernel* kernel : kernels) kernel->run(0, 0, run);
}

void measure_empty(std::vector<Figure>& figures, const PlanShape& shape, int threads) {
  const auto plan = make_plan(shape, 0);
  const std::string name = shape.name;
  {
    std::vector<const Kernel*> kernels;
    for (const PlanStep& step : plan->steps) kernels.push_back(step.kernel.get());
    Executor serial(plan, {.serial = true});
    const Pair times = compare(
        20, 201, [&] { serial.run(kInfo); }, [&] { plain_loop(kernels); });
    figures.push_back({name + ", empty, serial path beyond a plain loop",
                       (times.first - times.second) / kNodes, "ns/node", "< 5"});
  }
  Executor executor(plan, {.threads = threads});
  BareFlow bare(*plan, threads);
  const Pair times = compare(
      10, 101, [&] { executor.run(kInfo); }, [&] { bare.run(); });
  figures.push_back({name + ", empty, flow graph", times.first / kNodes, "ns/node", ""});
  figures.push_back({name + ", empty, bare tbb::flow", times.second / kNodes, "ns/node", ""});
  figures.push_back({name + ", empty, flow graph over bare", times.ratio, "x", "<= 1.1"});
}

void measure_spinning(std::vector<Figure>& figures, const PlanShape& shape, int threads,
                      int microseconds, const char* target) {
  const auto plan = make_plan(shape, microseconds);
  Executor serial(plan, {.serial = true});
  Executor executor(plan, {.threads = threads});
  const Pair times = compare(
      1, microseconds < 10 ? 9 : 5, [&] { serial.run(kInfo); }, [&] { executor.run(kInfo); });
  figures.push_back({std::string(shape.name) + ", " + std::to_string(microseconds) +
                         " us per node, " + std::to_string(threads) + " threads over one",
                     times.ratio, "x", threads == 2 ? target : ""});
}

}  // namespace

std::vector<Figure> measure_executor(int threads) {
  constexpr PlanShape kShapes[] = {
      {"chain", chain}, {"fan-out", fan_out}, {"grid", grid}, {"random", random}};
  std::vector<Figure> figures;
  for (const PlanShape& shape : kShapes) measure_empty(figures, shape, threads);
  if (threads == 1) return figures;
  for (const PlanShape& shape : kShapes) {
    if (shape.add_edges == chain) continue;  // nothing can run in parallel
    measure_spinning(figures, shape, threads, 5, ">= 1.5");
    measure_spinning(figures, shape, threads, 50, ">= 1.8");
  }
  return figures;
}

}  // namespace gradmill::bench
