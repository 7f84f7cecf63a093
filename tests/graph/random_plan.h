#pragma once

#include <gradmill/runtime/plan.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace gradmill {

/// What a random plan may contain besides steps that read buffers and write new ones.
struct RandomPlanOptions {
  int steps = 30;
  bool in_place = true;   ///< steps that write a buffer again
  bool variables = true;  ///< variables that are read, and updated by some steps
  bool fallible = true;   ///< steps that may fail
};

/// Steps with random reads and writes; predecessors and memory are not filled in.
inline Plan random_plan(std::uint64_t seed, const RandomPlanOptions& options) {
  std::mt19937_64 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  Plan plan;
  const auto add_buffer = [&](Place place) {
    PlanBuffer buffer;
    buffer.name = "buffer" + std::to_string(plan.buffers.size());
    buffer.bytes = static_cast<std::size_t>(1 + below(below(4) == 0 ? 2000 : 200));
    buffer.type = {DType::f32, Shape{static_cast<std::int64_t>(buffer.bytes + 3) / 4}};
    buffer.place = place;
    buffer.keep = place == Place::arena && below(8) == 0;
    plan.buffers.push_back(std::move(buffer));
    return static_cast<int>(plan.buffers.size()) - 1;
  };
  std::vector<int> variables;
  if (options.variables) {
    for (int i = 0; i < 3; ++i) variables.push_back(add_buffer(Place::variable));
  }
  std::vector<int> written;  // arena buffers that hold something
  for (int i = 0; i < options.steps; ++i) {
    PlanStep step;
    step.name = "step" + std::to_string(i);
    step.flops = static_cast<double>(below(100));
    for (int reads = below(4); reads > 0 && !written.empty(); --reads) {
      // Mostly what is recent, so that lifetimes end.
      const int recent = std::min(static_cast<int>(written.size()), below(6) == 0 ? 1000 : 6);
      step.inputs.push_back(written[written.size() - 1 - static_cast<std::size_t>(below(recent))]);
    }
    if (!variables.empty() && below(4) == 0) {
      const int variable = variables[static_cast<std::size_t>(below(3))];
      step.inputs.push_back(variable);
      if (below(3) == 0) step.writes.push_back(variable);
    }
    if (options.in_place && !written.empty() && below(6) == 0) {
      const int target = written[written.size() - 1];
      step.writes.push_back(target);
      step.outputs.push_back(target);
    }
    for (int outputs = below(3); outputs > 0; --outputs) {
      const int output = add_buffer(Place::arena);
      step.outputs.push_back(output);
      step.writes.push_back(output);
    }
    if (below(5) == 0) {
      step.workspace = add_buffer(Place::arena);
      plan.buffers.back().keep = false;
      step.writes.push_back(step.workspace);
    }
    step.fallible = options.fallible && below(6) == 0;
    for (const int output : step.outputs) {
      if (std::find(written.begin(), written.end(), output) == written.end()) {
        written.push_back(output);
      }
    }
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

/// Whether `a` is before `b` along predecessors: a plain search, with nothing shared with the
/// library.
class Reachability {
 public:
  explicit Reachability(const std::vector<PlanStep>& steps)
      : before_(steps.size(), std::vector<bool>(steps.size(), false)) {
    for (std::size_t b = 0; b < steps.size(); ++b) {
      std::vector<int> pending = steps[b].predecessors;
      while (!pending.empty()) {
        const auto a = static_cast<std::size_t>(pending.back());
        pending.pop_back();
        if (before_[b][a]) continue;
        before_[b][a] = true;
        pending.insert(pending.end(), steps[a].predecessors.begin(), steps[a].predecessors.end());
      }
    }
  }
  bool before(int a, int b) const {
    return before_[static_cast<std::size_t>(b)][static_cast<std::size_t>(a)];
  }

 private:
  std::vector<std::vector<bool>> before_;
};

}  // namespace gradmill
