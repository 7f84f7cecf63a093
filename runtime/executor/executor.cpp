#include <gradmill/runtime/executor/executor.h>

#include <atomic>
#include <utility>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/executor/first_failure.h>
#include <gradmill/runtime/executor/flow.h>
#include <gradmill/runtime/executor/task_order.h>
#include <gradmill/runtime/plan/tasks.h>
#include <gradmill/runtime/support/alignment.h>
#include <gradmill/runtime/support/lists.h>
#include <gradmill/runtime/threads/held_signals.h>
#include <gradmill/runtime/threads/sequential_onednn.h>
#include <gradmill/runtime/threads/short_slice.h>
#include <gradmill/runtime/trace/tile_recorder.h>

namespace gradmill {
namespace {

// A step with its pointers in place: all that running it takes, two to a cache line.
struct alignas(kBufferAlignment / 2) BoundStep {
  const Kernel* kernel = nullptr;
  void** buffers = nullptr;  // the workspace, then the inputs, then the outputs
  std::int32_t inputs = 0;
  std::int32_t tiles = 1;
  std::int32_t counter = -1;  // of tiles, where the runners of the task share them
  std::int16_t phase = 0;
  bool continues = false;  // the step after it in memory belongs to the same task
};
static_assert(sizeof(BoundStep) == kBufferAlignment / 2);

template <class T>
T narrow(std::int64_t number) {
  check(std::in_range<T>(number),
        "a step of a plan has too many inputs, tiles or phases: ", number);
  return static_cast<T>(number);
}

// On a cache line of its own: runners of one task count tiles here.
struct alignas(kBufferAlignment) TileCounter {
  std::atomic<std::int64_t> next = 0;
};

}  // namespace

struct Executor::Impl : FlowBody {
  Impl(std::shared_ptr<const Plan> shared_plan, const ExecutorOptions& options);

  void bind_steps(const std::vector<Task>& tasks);
  std::byte* scratch_of(int slot) const {
    return scratch + scratch_stride * static_cast<std::size_t>(slot);
  }
  KernelRun kernel_run(const BoundStep& step, int slot) const {
    return {step.buffers + 1, step.buffers + 1 + step.inputs,
            static_cast<std::byte*>(step.buffers[0]), scratch_of(slot), info};
  }
  int place_of(const BoundStep& step) const {
    return plan_order[static_cast<std::size_t>(&step - steps.data())];
  }
  void run_tile(const BoundStep& step, std::int64_t tile, const KernelRun& run, int slot) noexcept;
  void run_kernel(const BoundStep& step, std::int64_t tile, const KernelRun& run, int slot);
  void run_serially();
  void run(int first, int slot) noexcept override;
  void finish(int first) noexcept override;

  std::shared_ptr<const Plan> plan;
  Arena arena;
  std::vector<void*> addresses;      // one per buffer
  std::vector<BoundStep> steps;      // task by task; a task goes by the place of its first step
  std::vector<int> plan_order;       // of each of these its place in the plan
  std::vector<void*> bound_buffers;  // those of all steps
  std::vector<std::vector<void**>> readers;  // one per buffer: what to patch; empty but for feeds
  std::byte* scratch = nullptr;
  std::size_t scratch_stride = 0;
  int lanes = 1;
  int task_count = 1;
  const StepInfo* info = nullptr;
  TileRecorder* recorder = nullptr;
  FirstFailure failure;

  std::unique_ptr<TileCounter[]> counters;
  std::unique_ptr<TaskOrder> order;
  std::unique_ptr<Flow> flow;  // null: serial
};

Executor::Impl::Impl(std::shared_ptr<const Plan> shared_plan, const ExecutorOptions& options)
    : plan(std::move(shared_plan)) {
  check(options.threads >= 1, "threads: at least 1 is needed, got ", options.threads);
  validate(*plan);
  lanes = options.serial ? 1 : options.threads;
  scratch_stride = align_up(plan->scratch_bytes);
  const std::size_t planned = align_up(plan->arena_bytes);
  arena = Arena(planned + scratch_stride * static_cast<std::size_t>(lanes));
  scratch = arena.data() + planned;

  addresses.reserve(plan->buffers.size());
  for (const PlanBuffer& buffer : plan->buffers) {
    addresses.push_back(buffer.place == Place::arena ? arena.data() + buffer.offset
                                                     : buffer.address);
  }
  const std::vector<Task> tasks =
      options.serial ? tasks_in_plan_order(*plan) : make_tasks(*plan, options.threads);
  task_count = static_cast<int>(tasks.size());
  bind_steps(tasks);
  if (options.serial) return;

  std::vector<int> first_of;  // one per task
  int first = 0;
  for (const Task& task : tasks) {
    first_of.push_back(first);
    first += static_cast<int>(task.steps.size());
  }
  std::vector<std::pair<int, int>> before;
  std::vector<FlowTask> flow_tasks;
  flow_tasks.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    flow_tasks.push_back({first_of[i], tasks[i].runners, tasks[i].urgency, tasks[i].predecessors});
    for (const int p : tasks[i].predecessors) {
      before.emplace_back(first_of[i], first_of[static_cast<std::size_t>(p)]);
    }
  }
  order = std::make_unique<TaskOrder>(this, Lists(before, steps.size()));
  flow = std::make_unique<Flow>(options.threads, flow_tasks, *this);
}

void Executor::Impl::bind_steps(const std::vector<Task>& tasks) {
  std::size_t pointers = 0;
  for (const PlanStep& step : plan->steps) pointers += 1 + step.inputs.size() + step.outputs.size();
  bound_buffers.reserve(pointers);  // so that none moves
  readers.resize(plan->buffers.size());
  steps.reserve(plan->steps.size());
  counters = std::make_unique<TileCounter[]>(tasks.size());
  for (std::size_t task = 0; task < tasks.size(); ++task) {
    for (const int index : tasks[task].steps) {
      const PlanStep& step = plan->steps[static_cast<std::size_t>(index)];
      BoundStep& bound = steps.emplace_back();
      plan_order.push_back(index);
      bound.kernel = step.kernel.get();
      bound.buffers = bound_buffers.data() + bound_buffers.size();
      bound.inputs = narrow<std::int32_t>(static_cast<std::int64_t>(step.inputs.size()));
      bound.tiles = narrow<std::int32_t>(step.tiles);
      bound.phase = narrow<std::int16_t>(step.kernel_phase);
      bound.continues = index != tasks[task].steps.back();
      if (tasks[task].runners > 1) bound.counter = static_cast<std::int32_t>(task);
      bound_buffers.push_back(
          step.workspace < 0 ? nullptr : addresses[static_cast<std::size_t>(step.workspace)]);
      for (const int buffer : step.inputs) {
        const auto at = static_cast<std::size_t>(buffer);
        bound_buffers.push_back(addresses[at]);
        if (plan->buffers[at].place == Place::feed) readers[at].push_back(&bound_buffers.back());
      }
      for (const int buffer : step.outputs) {
        bound_buffers.push_back(addresses[static_cast<std::size_t>(buffer)]);
      }
    }
  }
}

void Executor::Impl::run_tile(const BoundStep& step, std::int64_t tile, const KernelRun& run,
                              int slot) noexcept {
  const auto key = [&] { return FirstFailure::key(place_of(step), tile); };
  if (failure.happened() && failure.precedes(key())) return;
  try {
    run_kernel(step, tile, run, slot);
  } catch (...) {
    failure.record(key());
  }
}

void Executor::Impl::run_kernel(const BoundStep& step, std::int64_t tile, const KernelRun& run,
                                int slot) {
  if (recorder == nullptr) [[likely]] {
    return step.kernel->run(step.phase, tile, run);
  }
  const std::int64_t begin = trace_now();
  const auto record = [&] { recorder->add(slot, place_of(step), tile, begin, trace_now()); };
  try {
    step.kernel->run(step.phase, tile, run);
  } catch (...) {
    record();
    throw;
  }
  record();
}

// In plan order the first failure to happen is the first of all: nothing else needs to run.
void Executor::Impl::run_serially() {
  for (const BoundStep& step : steps) {
    const KernelRun run = kernel_run(step, 0);
    try {
      for (std::int64_t tile = 0; tile < step.tiles; ++tile) run_kernel(step, tile, run, 0);
    } catch (...) {
      rethrow_with_node(plan->steps[static_cast<std::size_t>(place_of(step))]);
    }
  }
}

void Executor::Impl::run(int first, int slot) noexcept {
  TaskOrder::enter(this);
  order->task_begins(first);
  const BoundStep* step = &steps[static_cast<std::size_t>(first)];
  if (step->counter >= 0) {
    std::atomic<std::int64_t>& next = counters[static_cast<std::size_t>(step->counter)].next;
    const KernelRun run = kernel_run(*step, slot);
    for (;;) {
      const std::int64_t tile = next.fetch_add(1, std::memory_order_relaxed);
      if (tile >= step->tiles) break;
      run_tile(*step, tile, run, slot);
    }
  } else {
    for (;; ++step) {
      const KernelRun run = kernel_run(*step, slot);
      for (std::int64_t tile = 0; tile < step->tiles; ++tile) run_tile(*step, tile, run, slot);
      if (!step->continues) break;
    }
  }
  order->task_ends(first);
}

void Executor::Impl::finish(int first) noexcept {
  TaskOrder::enter(this);
  const auto counter = static_cast<std::size_t>(steps[static_cast<std::size_t>(first)].counter);
  counters[counter].next.store(0, std::memory_order_relaxed);
  order->task_ends(first);
}

Executor::Executor(std::shared_ptr<const Plan> plan, const ExecutorOptions& options)
    : impl_(std::make_unique<Impl>(std::move(plan), options)) {}

Executor::~Executor() = default;

void Executor::bind(int buffer, const void* data) {
  const auto index = static_cast<std::size_t>(buffer);
  void* address = const_cast<void*>(data);  // kernels see inputs as const
  impl_->addresses[index] = address;
  for (void** reader : impl_->readers[index]) *reader = address;
}

void Executor::run(const StepInfo& info, TileRecorder* recorder) {
  const HeldSignals held;
  const SequentialOneDnn sequential;
  impl_->info = &info;
  impl_->recorder = recorder;
  if (impl_->flow == nullptr) {
    impl_->run_serially();
    return;
  }
  const ShortSlice slice;
  impl_->order->run_begins();
  impl_->flow->run();
  impl_->order->run_ends();
  impl_->failure.rethrow(*impl_->plan);
}

int Executor::lanes() const { return impl_->lanes; }
int Executor::tasks() const { return impl_->task_count; }

void* Executor::address(int buffer) const {
  return impl_->addresses[static_cast<std::size_t>(buffer)];
}

}  // namespace gradmill
