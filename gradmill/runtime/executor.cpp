#include <gradmill/runtime/executor.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <span>
#include <utility>

#include <gradmill/runtime/alignment.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/flow.h>
#include <gradmill/runtime/held_signals.h>
#include <gradmill/runtime/sequential_onednn.h>
#include <gradmill/runtime/step_cost.h>
#include <gradmill/runtime/task_order.h>

namespace gradmill {
namespace {

constexpr std::uint64_t kNoFailure = std::numeric_limits<std::uint64_t>::max();

// A step with its pointers in place.
struct BoundStep {
  const Kernel* kernel = nullptr;
  int phase = 0;
  std::int64_t tiles = 1;
  std::vector<void*> inputs;
  std::vector<void*> outputs;
  std::byte* workspace = nullptr;
};

// The failure that is first in plan order, whatever the schedule.
class FirstFailure {
 public:
  static std::uint64_t key(int step, std::int64_t tile) {
    return static_cast<std::uint64_t>(step) << 40U | static_cast<std::uint64_t>(tile);
  }
  bool precedes(std::uint64_t key) const { return first_.load(std::memory_order_acquire) < key; }
  void record(std::uint64_t key) noexcept {
    const std::lock_guard lock(mutex_);
    if (key >= first_.load(std::memory_order_relaxed)) return;
    error_ = std::current_exception();
    first_.store(key, std::memory_order_release);
  }
  void rethrow() {
    if (first_.load(std::memory_order_acquire) == kNoFailure) return;
    first_.store(kNoFailure, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  std::atomic<std::uint64_t> first_ = kNoFailure;
  std::mutex mutex_;
  std::exception_ptr error_;
};

// On a cache line of its own: runners of one task count tiles here.
struct alignas(kBufferAlignment) TileCounter {
  std::atomic<std::int64_t> next = 0;
};

// Steps that run one after the other as one task, or one step whose tiles several runners share.
struct Task {
  std::vector<int> steps;
  int runners = 1;
};

}  // namespace

struct Executor::Impl : FlowBody {
  Impl(std::shared_ptr<const Plan> shared_plan, const ExecutorOptions& options);

  void run_tile(int step, std::int64_t tile, int slot) noexcept;
  void run_step(int step, int slot) noexcept {
    const std::int64_t tiles = steps[static_cast<std::size_t>(step)].tiles;
    for (std::int64_t tile = 0; tile < tiles; ++tile) run_tile(step, tile, slot);
  }
  void run(int task, int slot) noexcept override;
  void finish(int task) noexcept override;
  void build_tasks(int threads);
  std::vector<FlowTask> flow_tasks() const;

  std::shared_ptr<const Plan> plan;
  Arena arena;
  std::vector<void*> addresses;  // one a buffer
  std::vector<BoundStep> steps;
  struct Slot {
    int step;
    int input;
  };
  std::vector<std::vector<Slot>> readers;  // one a buffer: inputs to patch when a feed is bound
  std::byte* scratch = nullptr;
  std::size_t scratch_stride = 0;
  const StepInfo* info = nullptr;
  FirstFailure failure;

  std::vector<Task> tasks;
  std::vector<std::vector<int>> task_predecessors;
  std::unique_ptr<TileCounter[]> counters;
  std::unique_ptr<TaskOrder> order;
  std::unique_ptr<Flow> flow;  // null: serial
};

Executor::Impl::Impl(std::shared_ptr<const Plan> shared_plan, const ExecutorOptions& options)
    : plan(std::move(shared_plan)) {
  check(options.threads >= 1, "threads: at least 1 is needed, got ", options.threads);
  validate(*plan);
  const int slots = options.serial ? 1 : options.threads;
  scratch_stride = align_up(plan->scratch_bytes);
  const std::size_t planned = align_up(plan->arena_bytes);
  arena = Arena(planned + scratch_stride * static_cast<std::size_t>(slots));
  scratch = arena.data() + planned;

  addresses.reserve(plan->buffers.size());
  for (const PlanBuffer& buffer : plan->buffers) {
    addresses.push_back(buffer.place == Place::arena ? arena.data() + buffer.offset
                                                     : buffer.address);
  }
  readers.resize(plan->buffers.size());
  for (const PlanStep& step : plan->steps) {
    BoundStep bound;
    bound.kernel = step.kernel.get();
    bound.phase = step.kernel_phase;
    bound.tiles = step.tiles;
    for (const int buffer : step.inputs) {
      readers[static_cast<std::size_t>(buffer)].push_back(
          {static_cast<int>(steps.size()), static_cast<int>(bound.inputs.size())});
      bound.inputs.push_back(addresses[static_cast<std::size_t>(buffer)]);
    }
    for (const int buffer : step.outputs) {
      bound.outputs.push_back(addresses[static_cast<std::size_t>(buffer)]);
    }
    if (step.workspace >= 0) {
      bound.workspace =
          static_cast<std::byte*>(addresses[static_cast<std::size_t>(step.workspace)]);
    }
    steps.push_back(std::move(bound));
  }
  if (options.serial) return;
  build_tasks(options.threads);
  flow = std::make_unique<Flow>(options.threads, flow_tasks(), *this);
}

void Executor::Impl::build_tasks(int threads) {
  const std::size_t count = plan->steps.size();
  std::vector<int> successors(count, 0);
  for (const PlanStep& step : plan->steps) {
    for (const int p : step.predecessors) ++successors[static_cast<std::size_t>(p)];
  }
  std::vector<int> task_of(count);
  for (std::size_t i = 0; i < count; ++i) {
    const PlanStep& step = plan->steps[i];
    const int runners = useful_runners(step, threads);
    // A chain has nothing to run in parallel: its steps save each other's dispatch.
    if (runners == 1 && step.predecessors.size() == 1) {
      const auto p = static_cast<std::size_t>(step.predecessors.front());
      Task& before = tasks[static_cast<std::size_t>(task_of[p])];
      if (successors[p] == 1 && before.runners == 1 && before.steps.back() == static_cast<int>(p)) {
        before.steps.push_back(static_cast<int>(i));
        task_of[i] = task_of[p];
        continue;
      }
    }
    task_of[i] = static_cast<int>(tasks.size());
    tasks.push_back({{static_cast<int>(i)}, runners});
    std::vector<int> predecessors;
    for (const int p : step.predecessors) {
      predecessors.push_back(task_of[static_cast<std::size_t>(p)]);
    }
    std::ranges::sort(predecessors);
    predecessors.erase(std::unique(predecessors.begin(), predecessors.end()), predecessors.end());
    task_predecessors.push_back(std::move(predecessors));
  }
  counters = std::make_unique<TileCounter[]>(tasks.size());
  order = std::make_unique<TaskOrder>(this, tasks.size());
}

std::vector<FlowTask> Executor::Impl::flow_tasks() const {
  std::vector<FlowTask> result;
  result.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    result.push_back({tasks[i].runners, task_predecessors[i]});
  }
  return result;
}

void Executor::Impl::run_tile(int step, std::int64_t tile, int slot) noexcept {
  const std::uint64_t key = FirstFailure::key(step, tile);
  if (failure.precedes(key)) return;
  const BoundStep& bound = steps[static_cast<std::size_t>(step)];
  const KernelRun run(bound.inputs.data(), bound.outputs.data(), bound.workspace,
                      scratch + scratch_stride * static_cast<std::size_t>(slot), info);
  try {
    bound.kernel->run(bound.phase, tile, run);
  } catch (...) {
    failure.record(key);
  }
}

void Executor::Impl::run(int task, int slot) noexcept {
  TaskOrder::enter(this);
  const auto index = static_cast<std::size_t>(task);
  order->task_begins(task_predecessors[index]);
  const Task& work = tasks[index];
  if (work.runners == 1) {
    for (const int step : work.steps) run_step(step, slot);
  } else {
    const int step = work.steps.front();
    const std::int64_t tiles = steps[static_cast<std::size_t>(step)].tiles;
    std::atomic<std::int64_t>& next = counters[index].next;
    for (;;) {
      const std::int64_t tile = next.fetch_add(1, std::memory_order_relaxed);
      if (tile >= tiles) break;
      run_tile(step, tile, slot);
    }
  }
  order->task_ends(task);
}

void Executor::Impl::finish(int task) noexcept {
  TaskOrder::enter(this);
  counters[static_cast<std::size_t>(task)].next.store(0, std::memory_order_relaxed);
  order->task_ends(task);
}

Executor::Executor(std::shared_ptr<const Plan> plan, const ExecutorOptions& options)
    : impl_(std::make_unique<Impl>(std::move(plan), options)) {}

Executor::~Executor() = default;

void Executor::bind(int buffer, const void* data) {
  const auto index = static_cast<std::size_t>(buffer);
  void* address = const_cast<void*>(data);  // kernels see inputs as const
  impl_->addresses[index] = address;
  for (const auto& [step, input] : impl_->readers[index]) {
    impl_->steps[static_cast<std::size_t>(step)].inputs[static_cast<std::size_t>(input)] = address;
  }
}

void Executor::run(const StepInfo& info) {
  const HeldSignals held;
  const SequentialOneDnn sequential;
  impl_->info = &info;
  if (impl_->flow == nullptr) {
    const int count = static_cast<int>(impl_->steps.size());
    for (int step = 0; step < count; ++step) impl_->run_step(step, 0);
  } else {
    impl_->order->run_begins();
    impl_->flow->run();
    impl_->order->run_ends();
  }
  impl_->failure.rethrow();
}

void* Executor::address(int buffer) const {
  return impl_->addresses[static_cast<std::size_t>(buffer)];
}

}  // namespace gradmill
