#include <gradmill/runtime/tune.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include <gradmill/runtime/support/alignment.h>
#include <gradmill/runtime/support/arena.h>
#include <gradmill/runtime/support/random.h>
#include <gradmill/runtime/threads/held_signals.h>
#include <gradmill/runtime/threads/sequential_onednn.h>

namespace gradmill {
namespace {

// This many of the best, after one look at each, are measured for longer.
constexpr std::size_t kFinalists = 5;

// Ordinary numbers: denormal ones, NaN and infinity would cost more. Integers stay 0, which is a
// label or an index everywhere.
void fill(std::byte* data, const Type& type) {
  const Philox random(1, 0);
  const auto count = static_cast<std::uint64_t>(type.shape.elements());
  visit_dtype(type.dtype, [&](auto element) {
    using T = decltype(element);
    if constexpr (std::is_floating_point_v<T>) {
      auto* values = reinterpret_cast<T*>(data);
      for (std::uint64_t i = 0; i < count; ++i) values[i] = static_cast<T>(random.uniform(i));
    }
  });
}

// A step's buffers, on memory that nobody else uses.
class Bench {
 public:
  Bench(const Plan& plan, const PlanStep& step) {
    const auto place = [&](const std::vector<int>& buffers, std::vector<void*>& pointers) {
      for (const int buffer : buffers) {
        const PlanBuffer& original = plan.buffers[static_cast<std::size_t>(buffer)];
        Arena& memory = memory_.emplace_back(original.bytes);
        fill(memory.data(), original.type);
        pointers.push_back(memory.data());
      }
    };
    place(step.inputs, inputs_);
    place(step.outputs, outputs_);
  }

  double seconds(const Kernel& kernel) {
    if (workspace_.size() < kernel.workspace_bytes()) workspace_ = Arena(kernel.workspace_bytes());
    if (scratch_.size() < kernel.scratch_bytes()) scratch_ = Arena(kernel.scratch_bytes());
    const StepInfo info;
    const KernelRun run(inputs_.data(), outputs_.data(), workspace_.data(), scratch_.data(), &info);
    const auto begin = std::chrono::steady_clock::now();
    for (int phase = 0; phase < kernel.phases(); ++phase) {
      for (std::int64_t tile = 0; tile < kernel.tiles(phase); ++tile) {
        kernel.run(phase, tile, run);
      }
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  std::vector<Arena> memory_;
  std::vector<void*> inputs_;
  std::vector<void*> outputs_;
  Arena workspace_;
  Arena scratch_;
};

struct Candidate {
  std::vector<std::int64_t> choice;
  std::unique_ptr<Kernel> kernel;
  double best = std::numeric_limits<double>::infinity();  // seconds: noise only ever adds
  double spent = 0;
};

void measure(Bench& bench, Candidate& candidate) {
  const double seconds = bench.seconds(*candidate.kernel);
  candidate.best = std::min(candidate.best, seconds);
  candidate.spent += seconds;
}

// The first is the kernel's own way.
std::vector<Candidate> measured(const Plan& plan, const PlanStep& step, const Tunable& tunable,
                                const TuneOptions& options) {
  std::vector<Candidate> candidates;
  for (std::vector<std::int64_t>& choice : tunable.choices()) {
    auto kernel = tunable.with_choice(choice);
    candidates.push_back({std::move(choice), std::move(kernel)});
  }
  Bench bench(plan, step);
  for (int round = 0; round < 2; ++round) {
    for (Candidate& candidate : candidates) measure(bench, candidate);
  }
  std::vector<Candidate*> finalists;
  for (Candidate& candidate : candidates) finalists.push_back(&candidate);
  std::ranges::stable_sort(finalists, {}, &Candidate::best);
  finalists.resize(std::min(finalists.size(), kFinalists));
  finalists.push_back(&candidates.front());
  // In turn, so that a machine that slows down does so for all.
  while (finalists.front()->spent < options.seconds) {
    for (Candidate* finalist : finalists) measure(bench, *finalist);
  }
  return candidates;
}

}  // namespace

Tuning tune(const Plan& plan, const TuneOptions& options,
            const std::function<void(const TunedKernel&)>& report) {
  const SequentialOneDnn sequential;
  const HeldSignals held;
  Tuning tuning;
  for (const PlanStep& step : plan.steps) {
    const Tunable* tunable = step.kernel->tunable();
    if (step.kernel_phase > 0 || tunable == nullptr) continue;
    const std::string key = tunable->tuning_key();
    if (tuning.find(key) != nullptr) continue;
    const std::vector<Candidate> candidates = measured(plan, step, *tunable, options);
    const Candidate* best = &*std::ranges::min_element(candidates, {}, &Candidate::best);
    const Candidate& own = candidates.front();
    if (best->best > own.best * (1 - options.least_gain)) best = &own;
    tuning.set(key, best->choice);
    if (!report) continue;
    report({.key = key,
            .before = own.kernel->description(),
            .after = best->kernel->description(),
            .before_ms = own.best * 1e3,
            .after_ms = best->best * 1e3});
  }
  return tuning;
}

}  // namespace gradmill
