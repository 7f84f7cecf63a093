#pragma once

#include <gradmill/runtime/plan.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "random_plan.h"

namespace gradmill {

constexpr std::size_t kAlignment = 64;

inline std::size_t padded(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

inline std::vector<std::vector<int>> uses_of(const Plan& plan) {
  std::vector<std::vector<int>> uses(plan.buffers.size());
  for (int i = 0; i < static_cast<int>(plan.steps.size()); ++i) {
    const PlanStep& step = plan.steps[static_cast<std::size_t>(i)];
    std::set<int> touched(step.inputs.begin(), step.inputs.end());
    touched.insert(step.writes.begin(), step.writes.end());
    for (const int buffer : touched) uses[static_cast<std::size_t>(buffer)].push_back(i);
  }
  return uses;
}

inline bool share_bytes(const PlanBuffer& a, const PlanBuffer& b) {
  return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

/// What must hold of any plan whose memory was planned.
inline void expect_sound_memory(const Plan& plan) {
  const Reachability reachability(plan.steps);
  const auto uses = uses_of(plan);
  const auto all_before = [&](std::size_t a, std::size_t b) {
    for (const int use : uses[a]) {
      for (const int other : uses[b]) {
        if (!reachability.before(use, other)) return false;
      }
    }
    return true;
  };
  std::size_t total = 0;
  for (std::size_t a = 0; a < plan.buffers.size(); ++a) {
    const PlanBuffer& buffer = plan.buffers[a];
    if (buffer.place != Place::arena) continue;
    total += padded(buffer.bytes);
    EXPECT_EQ(buffer.offset % kAlignment, 0U) << buffer.name;
    EXPECT_LE(buffer.offset + buffer.bytes, plan.arena_bytes) << buffer.name;
    for (std::size_t b = 0; b < plan.buffers.size(); ++b) {
      const PlanBuffer& other = plan.buffers[b];
      if (b == a || other.place != Place::arena || !share_bytes(buffer, other)) continue;
      if (uses[a].empty() || uses[b].empty()) continue;
      const bool first = all_before(a, b) && !buffer.keep;
      const bool second = all_before(b, a) && !other.keep;
      EXPECT_TRUE(first || second) << buffer.name << " and " << other.name << " share bytes";
    }
  }
  EXPECT_LE(plan.arena_bytes, total);
}

/// Runs the plan's reads and writes in a random legal order on bytes that remember who wrote them.
inline void expect_intact_in_random_order(const Plan& plan, std::uint64_t seed) {
  constexpr int kNobody = -1;
  std::mt19937_64 random(seed);
  std::vector<int> owner(plan.arena_bytes, kNobody);
  std::vector<int> waiting(plan.steps.size());
  std::vector<std::vector<std::size_t>> successors(plan.steps.size());
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    waiting[i] = static_cast<int>(plan.steps[i].predecessors.size());
    for (const int p : plan.steps[i].predecessors) {
      successors[static_cast<std::size_t>(p)].push_back(i);
    }
    if (waiting[i] == 0) ready.push_back(i);
  }
  const auto owned = [&](int index) {
    const PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(index)];
    return buffer.place != Place::arena ||
           std::all_of(owner.begin() + static_cast<std::ptrdiff_t>(buffer.offset),
                       owner.begin() + static_cast<std::ptrdiff_t>(buffer.offset + buffer.bytes),
                       [&](int who) { return who == index; });
  };
  std::size_t ran = 0;
  while (!ready.empty()) {
    std::swap(ready[random() % ready.size()], ready.back());
    const std::size_t index = ready.back();
    ready.pop_back();
    ++ran;
    const PlanStep& step = plan.steps[index];
    for (const int input : step.inputs) {
      ASSERT_TRUE(owned(input)) << step.name << " reads bytes that are no longer buffer " << input;
    }
    for (const int output : step.writes) {
      const PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(output)];
      if (buffer.place != Place::arena) continue;
      std::fill_n(owner.begin() + static_cast<std::ptrdiff_t>(buffer.offset), buffer.bytes, output);
    }
    for (const std::size_t successor : successors[index]) {
      if (--waiting[successor] == 0) ready.push_back(successor);
    }
  }
  ASSERT_EQ(ran, plan.steps.size());
  const auto uses = uses_of(plan);
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    if (plan.buffers[i].keep && !uses[i].empty()) {
      EXPECT_TRUE(owned(static_cast<int>(i))) << plan.buffers[i].name << " was to be kept";
    }
  }
}

}  // namespace gradmill
