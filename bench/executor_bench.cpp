// The executor alone, on plans whose kernels do nothing: nanoseconds per node, serially and on the
// flow graph.

#include <benchmark/benchmark.h>
#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/plan.h>

#include <memory>
#include <string>

namespace gradmill {
namespace {

class EmptyKernel : public Kernel {
 public:
  explicit EmptyKernel(std::int64_t tiles) : tiles_(tiles) {}
  std::int64_t tiles(int) const override { return tiles_; }
  void run(int, std::int64_t tile, const KernelRun&) const override {
    benchmark::DoNotOptimize(tile);
  }
  std::string description() const override { return "empty"; }

 private:
  std::int64_t tiles_;
};

/// Steps without buffers; the caller adds the edges.
Plan empty_plan(int steps, std::int64_t tiles = 1) {
  Plan plan;
  const auto kernel = std::make_shared<EmptyKernel>(tiles);
  for (int i = 0; i < steps; ++i) {
    PlanStep step;
    step.name = "step" + std::to_string(i);
    step.op = "empty";
    step.kernel = kernel;
    step.tiles = tiles;
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

Plan chain(int steps) {
  Plan plan = empty_plan(steps);
  for (int i = 1; i < steps; ++i) plan.steps[static_cast<std::size_t>(i)].predecessors = {i - 1};
  return plan;
}

/// One step, then all the others, then one that joins them.
Plan fan_out(int steps) {
  Plan plan = empty_plan(steps);
  for (int i = 1; i + 1 < steps; ++i) {
    plan.steps[static_cast<std::size_t>(i)].predecessors = {0};
    plan.steps.back().predecessors.push_back(i);
  }
  return plan;
}

/// Rows of 16 steps, each after the three nearest of the row above.
Plan grid(int steps) {
  constexpr int kWidth = 16;
  Plan plan = empty_plan(steps);
  for (int i = kWidth; i < steps; ++i) {
    for (int shift = -1; shift <= 1; ++shift) {
      const int column = i % kWidth + shift;
      if (column < 0 || column >= kWidth) continue;
      plan.steps[static_cast<std::size_t>(i)].predecessors.push_back((i / kWidth - 1) * kWidth +
                                                                     column);
    }
  }
  return plan;
}

/// A chain whose steps have 32 tiles each.
Plan tiled_chain(int steps) {
  Plan plan = empty_plan(steps, 32);
  for (int i = 1; i < steps; ++i) plan.steps[static_cast<std::size_t>(i)].predecessors = {i - 1};
  return plan;
}

void run_plan(benchmark::State& state, Plan (*make)(int), int steps, bool serial) {
  const auto plan = std::make_shared<const Plan>(make(steps));
  Executor executor(plan, {.threads = static_cast<int>(state.range(0)), .serial = serial});
  const StepInfo info;
  for (int i = 0; i < 10; ++i) executor.run(info);
  for (auto _ : state) executor.run(info);
  state.counters["node"] = benchmark::Counter(
      steps, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void declare(const std::string& name, Plan (*make)(int), int steps) {
  benchmark::RegisterBenchmark((name + "/serial").c_str(), run_plan, make, steps, true)
      ->Arg(1)
      ->ArgName("threads")
      ->UseRealTime();
  benchmark::RegisterBenchmark((name + "/flow_graph").c_str(), run_plan, make, steps, false)
      ->Arg(1)
      ->Arg(2)
      ->ArgName("threads")
      ->UseRealTime();
}

const bool kDeclared = [] {
  declare("chain/256", chain, 256);
  declare("fan_out/256", fan_out, 256);
  declare("grid/256", grid, 256);
  declare("tiled_chain/64x32", tiled_chain, 64);
  return true;
}();

}  // namespace
}  // namespace gradmill
