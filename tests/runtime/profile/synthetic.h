#pragma once

#include <gradmill/runtime/trace.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace gradmill {

inline constexpr std::int64_t kMs = 1'000'000;  // in nanoseconds

/// A plan of steps that compute nothing, for traces that are made by hand.
class SyntheticPlan {
 public:
  int step(std::string name, std::int64_t tiles, std::vector<int> predecessors,
           std::string op = "op") {
    PlanStep step;
    step.name = std::move(name);
    step.op = std::move(op);
    step.tiles = tiles;
    step.predecessors = std::move(predecessors);
    plan_->steps.push_back(std::move(step));
    return static_cast<int>(plan_->steps.size()) - 1;
  }
  Plan& plan() { return *plan_; }
  std::shared_ptr<const Plan> shared() const { return plan_; }

 private:
  std::shared_ptr<Plan> plan_ = std::make_shared<Plan>();
};

/// A tile in milliseconds.
inline TracedTile tile_at(int lane, int step, int tile, double begin_ms, double end_ms) {
  return {static_cast<std::int64_t>(begin_ms * kMs), static_cast<std::int64_t>(end_ms * kMs), step,
          tile, lane};
}

/// A run from 0 to `end_ms`.
inline TracedRun run_of(std::vector<TracedTile> tiles, double end_ms) {
  std::ranges::sort(tiles, {}, &TracedTile::begin_ns);
  TracedRun run;
  run.end_ns = static_cast<std::int64_t>(end_ms * kMs);
  run.tiles = std::move(tiles);
  return run;
}

/// A random acyclic graph of steps of one tile each, with durations in whole milliseconds.
struct RandomDag {
  SyntheticPlan plan;
  std::vector<int> ms;
};

inline RandomDag random_dag(std::uint32_t seed, int steps) {
  std::mt19937 random(seed);
  RandomDag dag;
  for (int i = 0; i < steps; ++i) {
    std::vector<int> predecessors;
    for (int p = 0; p < i; ++p) {
      if (random() % 4 == 0) predecessors.push_back(p);
    }
    dag.plan.step("s" + std::to_string(i), 1, predecessors);
    dag.ms.push_back(static_cast<int>(1 + random() % 20));
  }
  return dag;
}

/// The length of the longest chain that ends in `step`, by trying all of them.
inline int longest_chain_to(const RandomDag& dag, int step) {
  int longest = 0;
  for (const int p : dag.plan.shared()->steps[static_cast<std::size_t>(step)].predecessors) {
    longest = std::max(longest, longest_chain_to(dag, p));
  }
  return longest + dag.ms[static_cast<std::size_t>(step)];
}

inline int longest_chain(const RandomDag& dag) {
  int longest = 0;
  for (int i = 0; i < static_cast<int>(dag.ms.size()); ++i) {
    longest = std::max(longest, longest_chain_to(dag, i));
  }
  return longest;
}

}  // namespace gradmill
