#include "workloads/tile_times.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <gradmill/runtime/cpus.h>
#include <gradmill/runtime/executor.h>

#include "workloads/clock.h"
#include "workloads/median.h"

namespace gradmill::bench {
namespace {

using Clock = std::chrono::steady_clock;

/// Does what another kernel does, and notes how long that took. For one thread.
class TimedKernel final : public Kernel {
 public:
  /// `times`: where each tile of each phase adds its milliseconds.
  TimedKernel(std::shared_ptr<const Kernel> kernel, std::vector<std::vector<float>>* times)
      : kernel_(std::move(kernel)), times_(times) {}

  int phases() const override { return kernel_->phases(); }
  std::int64_t tiles(int phase) const override { return kernel_->tiles(phase); }
  std::size_t workspace_bytes() const override { return kernel_->workspace_bytes(); }
  std::size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  std::string description() const override { return kernel_->description(); }

  void run(int phase, std::int64_t tile, const KernelRun& run) const override {
    const auto begin = Clock::now();
    kernel_->run(phase, tile, run);
    const std::chrono::duration<float, std::milli> took = Clock::now() - begin;
    (*times_)[static_cast<std::size_t>(tile)].push_back(took.count());
  }

 private:
  std::shared_ptr<const Kernel> kernel_;
  std::vector<std::vector<float>>* times_;
};

class EmptyKernel final : public Kernel {
 public:
  explicit EmptyKernel(std::int64_t tiles) : tiles_(tiles) {}
  std::int64_t tiles(int) const override { return tiles_; }
  void run(int, std::int64_t, const KernelRun&) const override {}
  std::string description() const override { return "empty"; }

 private:
  std::int64_t tiles_;
};

/// The buffers of what a workload feeds, bound batch after batch.
class Feeder {
 public:
  Feeder(const Plan& plan, const Workload& workload) : batches_(workload.batches) {
    for (const Feed& feed : batches_.front()) {
      const auto buffer = std::ranges::find_if(plan.buffers, [&](const PlanBuffer& b) {
        return b.place == Place::feed && b.name == feed.input().name();
      });
      buffers_.push_back(static_cast<int>(buffer - plan.buffers.begin()));
    }
  }

  void bind(Executor& executor, int step) const {
    const std::vector<Feed>& feeds = batches_[static_cast<std::size_t>(step) % batches_.size()];
    for (std::size_t i = 0; i < feeds.size(); ++i) executor.bind(buffers_[i], feeds[i].data());
  }

 private:
  const std::vector<std::vector<Feed>>& batches_;
  std::vector<int> buffers_;
};

}  // namespace

TileTimes measure_tiles(const Workload& workload, double seconds) {
  SessionOptions options = workload.options;
  options.threads = 1;
  // A session of its own: the step that is timed is the one that users run.
  const auto session = std::make_shared<Session>(workload.graph, options);
  TileTimes result;
  result.plan = std::shared_ptr<const Plan>(session, &session->plan());

  const auto timed = std::make_shared<Plan>(*result.plan);
  std::vector<std::vector<std::vector<float>>> times(timed->steps.size());
  for (std::size_t i = 0; i < timed->steps.size(); ++i) {
    PlanStep& step = timed->steps[i];
    times[i].resize(static_cast<std::size_t>(step.tiles));
    step.kernel = std::make_shared<TimedKernel>(step.kernel, &times[i]);
  }
  const Feeder feeder(*timed, workload);
  Executor executor(timed, {.threads = 1, .serial = true});
  StepInfo info;
  if (options.optimizer != nullptr) info.learning_rate = session->learning_rate();
  const StepTimes whole = measure_steps(seconds, [&](int step) {
    feeder.bind(executor, step);
    executor.run(info);
  });

  result.runs = whole.steps;
  result.serial_ms = whole.median_ms;
  for (std::size_t i = 0; i < timed->steps.size(); ++i) {
    ReplayStep& step = result.steps.emplace_back();
    step.name = timed->steps[i].name;
    step.predecessors = timed->steps[i].predecessors;
    for (std::vector<float>& tile : times[i]) {
      // The first were the warm-up.
      tile.erase(tile.begin(), tile.end() - static_cast<std::ptrdiff_t>(whole.steps));
      step.tile_ms.push_back(median(std::move(tile)));
    }
  }
  result.dispatch_ms = measure_dispatch(*result.plan, seconds / 4);
  return result;
}

double measure_dispatch(const Plan& plan, double seconds) {
  const auto empty = std::make_shared<Plan>();
  std::int64_t tiles = 0;
  for (const PlanStep& step : plan.steps) {
    PlanStep& copy = empty->steps.emplace_back(step);
    copy.kernel = std::make_shared<EmptyKernel>(step.tiles);
    copy.inputs = copy.outputs = copy.writes = {};
    copy.workspace = -1;
    tiles += step.tiles;
  }
  const int threads = allowed_cpus();
  Executor executor(empty, {.threads = threads});
  const StepInfo info;
  const double ms = measure_steps(seconds, [&](int) { executor.run(info); }).median_ms;
  return ms * threads / static_cast<double>(tiles);
}

}  // namespace gradmill::bench
