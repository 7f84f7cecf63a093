#pragma once

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/plan.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gradmill {

/// What the kernels of one plan saw during a run.
struct Watch {
  explicit Watch(std::size_t steps) : begun(steps), ended(steps) {}
  void reset() {
    clock = 0;
    violations = 0;
    for (std::size_t i = 0; i < begun.size(); ++i) begun[i] = ended[i] = 0;
  }
  // Relaxed throughout, so that watching orders nothing which the executor ought to order.
  std::uint64_t tick() { return clock.fetch_add(1, std::memory_order_relaxed) + 1; }

  std::atomic<std::uint64_t> clock = 0;
  std::atomic<int> violations = 0;               ///< tiles that began before a predecessor's end
  std::vector<std::atomic<std::int64_t>> begun;  ///< tiles, one per step
  std::vector<std::atomic<std::int64_t>> ended;
  std::set<std::pair<int, std::int64_t>> failures;  ///< (step, tile) that throw; set between runs
};

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a * 0x9E3779B97F4A7C15 + b + 0x7F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  return x ^ (x >> 27);
}

/// One node of a random plan: every phase but the last fills the workspace from what the phase
/// before left there, the last one writes the output (or, of an update, adds to the variable). All
/// of them digest every element of every input, so that any wrong order changes the bits of the
/// result.
class MixKernel : public Kernel {
 public:
  static constexpr int kElements = 4;  ///< of std::uint64_t, one tile's share of a buffer

  struct Setup {
    std::vector<std::int64_t> tiles;         ///< one per phase
    std::vector<std::int64_t> input_counts;  ///< elements of each input
    bool update = false;                     ///< input 0 is mutated, and there is no output
    int first_step = 0;
    std::vector<std::vector<int>> predecessors;  ///< one per phase
    std::shared_ptr<Watch> watch;
    std::vector<std::int64_t>
        plan_tiles;  ///< one per step of the plan, as far as predecessors reach
  };
  explicit MixKernel(Setup setup) : s_(std::move(setup)) {}

  int phases() const override { return static_cast<int>(s_.tiles.size()); }
  std::int64_t tiles(int phase) const override { return s_.tiles[static_cast<std::size_t>(phase)]; }
  std::size_t workspace_bytes() const override { return sizeof(std::uint64_t) * 2 * kHalf; }
  std::size_t scratch_bytes() const override { return kScratch * sizeof(std::uint64_t); }
  std::string description() const override { return "mix"; }

  void run(int phase, std::int64_t tile, const KernelRun& run) const override {
    const int step = s_.first_step + phase;
    Watch& watch = *s_.watch;
    for (const int p : s_.predecessors[static_cast<std::size_t>(phase)]) {
      const auto index = static_cast<std::size_t>(p);
      if (watch.ended[index].load(std::memory_order_relaxed) != s_.plan_tiles[index]) {
        watch.violations.fetch_add(1, std::memory_order_relaxed);
      }
    }
    watch.begun[static_cast<std::size_t>(step)].fetch_add(1, std::memory_order_relaxed);
    if (watch.failures.contains({step, tile})) {
      throw Error(cat("step ", step, " tile ", tile, " refuses"));
    }
    compute(phase, tile, run);
    watch.ended[static_cast<std::size_t>(step)].fetch_add(1, std::memory_order_relaxed);
  }

 private:
  static constexpr std::int64_t kHalf = 64;  // phases alternate between two halves of the workspace
  static constexpr std::size_t kScratch = 33;

  void compute(int phase, std::int64_t tile, const KernelRun& run) const {
    auto* scratch = run.scratch<std::uint64_t>();
    const std::uint64_t own =
        mix(mix(run.step().step, static_cast<std::uint64_t>(s_.first_step)),
            mix(static_cast<std::uint64_t>(phase), static_cast<std::uint64_t>(tile)));
    for (std::size_t i = 0; i < kScratch; ++i) scratch[i] = own;
    std::uint64_t digest = own;
    for (std::size_t i = s_.update ? 1 : 0; i < s_.input_counts.size(); ++i) {
      const auto* input = run.input<std::uint64_t>(static_cast<int>(i));
      for (std::int64_t k = 0; k < s_.input_counts[i]; ++k) digest = mix(digest, input[k]);
    }
    auto* workspace = run.workspace<std::uint64_t>();
    if (phase > 0) {
      const std::uint64_t* before = workspace + (phase % 2 == 0 ? kHalf : 0);
      for (std::int64_t k = 0; k < tiles(phase - 1) * kElements; ++k)
        digest = mix(digest, before[k]);
    }
    // Only if another tile in flight had the same scratch would this change anything.
    for (std::size_t i = 0; i < kScratch; ++i) digest = mix(digest, scratch[i]);

    const bool last = phase + 1 == phases();
    for (int k = 0; k < kElements; ++k) {
      const std::int64_t at = tile * kElements + k;
      const std::uint64_t value = mix(digest, static_cast<std::uint64_t>(k));
      if (!last) {
        workspace[(phase % 2 == 0 ? 0 : kHalf) + at] = value;
      } else if (s_.update) {
        run.variable<std::uint64_t>(0)[at] += value;
      } else {
        run.output<std::uint64_t>(0)[at] = value;
      }
    }
  }

  Setup s_;
};

struct RandomPlanOptions {
  int steps = 60;
  int updates = 0;  ///< at the end, each after every fallible step
  bool fallible = false;
};

/// A random plan and the memory that its variables live in. The same seed gives the same plan
/// again.
struct RandomPlan {
  std::shared_ptr<Plan> plan = std::make_shared<Plan>();
  std::shared_ptr<Watch> watch;
  std::vector<std::unique_ptr<std::vector<std::uint64_t>>> variables;

  RandomPlan(unsigned seed, const RandomPlanOptions& options)
      : watch(std::make_shared<Watch>(static_cast<std::size_t>(options.steps))), random_(seed) {
    while (static_cast<int>(plan->steps.size()) < options.steps - options.updates) {
      const int left = options.steps - options.updates - static_cast<int>(plan->steps.size());
      add_node(left < 3 ? 1 : below(4) == 0 ? 2 + below(2) : 1, options.fallible, false);
    }
    for (int i = 0; i < options.updates; ++i) add_node(1, false, true);
    plan->arena_bytes = plan->unshared_bytes = offset_;
  }

  /// Everything that a run left behind: all outputs, then all variables.
  std::vector<std::uint64_t> results(const Executor& executor) const {
    std::vector<std::uint64_t> all;
    for (std::size_t b = 0; b < plan->buffers.size(); ++b) {
      const auto* data = static_cast<const std::uint64_t*>(executor.address(static_cast<int>(b)));
      all.insert(all.end(), data, data + plan->buffers[b].bytes / sizeof(std::uint64_t));
    }
    return all;
  }
  std::vector<std::uint64_t> variable_values() const {
    std::vector<std::uint64_t> all;
    for (const auto& variable : variables)
      all.insert(all.end(), variable->begin(), variable->end());
    return all;
  }
  /// Whether every tile of step `index` ended in the last run.
  bool completed(int index) const {
    return watch->ended[static_cast<std::size_t>(index)] ==
           plan->steps[static_cast<std::size_t>(index)].tiles;
  }

 private:
  int below(int bound) { return static_cast<int>(random_() % static_cast<unsigned>(bound)); }

  int add_buffer(std::size_t bytes, Place place, void* address) {
    PlanBuffer buffer;
    buffer.name = cat("b", plan->buffers.size());
    buffer.type = {DType::i64, {static_cast<std::int64_t>(bytes / sizeof(std::uint64_t))}};
    buffer.bytes = bytes;
    buffer.place = place;
    buffer.address = address;
    if (place == Place::arena) {
      buffer.offset = offset_;
      offset_ += (bytes + 63) / 64 * 64;
    }
    plan->buffers.push_back(std::move(buffer));
    return static_cast<int>(plan->buffers.size()) - 1;
  }

  void add_node(int phases, bool fallible, bool update) {
    const int first = static_cast<int>(plan->steps.size());
    MixKernel::Setup setup;
    setup.first_step = first;
    setup.update = update;
    setup.watch = watch;
    for (int p = 0; p < phases; ++p) setup.tiles.push_back(below(3) == 0 ? 1 : 1 + below(8));
    const std::size_t bytes =
        sizeof(std::uint64_t) * MixKernel::kElements * static_cast<std::size_t>(setup.tiles.back());

    PlanStep step;
    step.name = cat("n", first);
    step.op = "mix";
    step.phase = update ? Phase::update : Phase::forward;
    std::set<int> after;
    if (update) {
      variables.push_back(std::make_unique<std::vector<std::uint64_t>>(bytes / 8, 1));
      step.inputs.push_back(add_buffer(bytes, Place::variable, variables.back()->data()));
      step.writes = step.inputs;
      setup.input_counts.push_back(static_cast<std::int64_t>(bytes / 8));
      for (int i = 0; i < first; ++i) {
        if (plan->steps[static_cast<std::size_t>(i)].fallible) after.insert(i);
      }
    }
    // Mostly near neighbors (long chains), now and then one from far away, sometimes none.
    const int inputs = producers_.empty() ? 0 : below(4);
    for (int i = 0; i < inputs; ++i) {
      const int count = static_cast<int>(producers_.size());
      const int back = below(3) == 0 ? below(count) : below(std::min(count, 4));
      const auto& [buffer, producer] = producers_[static_cast<std::size_t>(count - 1 - back)];
      step.inputs.push_back(buffer);
      setup.input_counts.push_back(static_cast<std::int64_t>(
          plan->buffers[static_cast<std::size_t>(buffer)].bytes / sizeof(std::uint64_t)));
      after.insert(producer);
    }
    if (!update) {
      step.outputs.push_back(add_buffer(bytes, Place::arena, nullptr));
      step.writes = step.outputs;
    }
    const auto workspace_bytes = MixKernel({}).workspace_bytes();
    if (phases > 1) step.workspace = add_buffer(workspace_bytes, Place::arena, nullptr);
    if (phases > 1) step.writes.push_back(step.workspace);
    step.fallible = fallible;
    // A cost that is too small to share, none, or a large one: the three ways of dispatch.
    const int cost = below(3);
    step.flops = cost == 0 ? 0 : cost == 1 ? 10 : 1e7;

    for (int p = 0; p < phases; ++p) {
      setup.predecessors.push_back(p == 0 ? std::vector<int>(after.begin(), after.end())
                                          : std::vector<int>{first + p - 1});
    }
    for (const PlanStep& earlier : plan->steps) setup.plan_tiles.push_back(earlier.tiles);
    for (const std::int64_t tiles : setup.tiles) setup.plan_tiles.push_back(tiles);
    const auto kernel = std::make_shared<const MixKernel>(setup);
    plan->scratch_bytes = kernel->scratch_bytes();
    for (int p = 0; p < phases; ++p) {
      PlanStep part = step;
      part.kernel = kernel;
      part.kernel_phase = p;
      part.tiles = setup.tiles[static_cast<std::size_t>(p)];
      part.predecessors = setup.predecessors[static_cast<std::size_t>(p)];
      plan->steps.push_back(std::move(part));
    }
    if (!update) producers_.emplace_back(step.outputs[0], first + phases - 1);
  }

  std::mt19937 random_;
  std::size_t offset_ = 0;
  std::vector<std::pair<int, int>> producers_;  // buffer, step
};

}  // namespace gradmill
