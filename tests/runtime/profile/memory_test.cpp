// What is alive in a plan's arena, against a count that looks at every buffer at every step.

#include <gradmill/gradmill.h>
#include <gradmill/runtime/profile.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/programs.h"

namespace gradmill {
namespace {

bool touches(const PlanStep& step, int buffer) {
  return std::ranges::find(step.inputs, buffer) != step.inputs.end() ||
         std::ranges::find(step.writes, buffer) != step.writes.end();
}

std::vector<int> alive_at(const Plan& plan, std::size_t step) {
  std::vector<int> alive;
  for (int b = 0; b < static_cast<int>(plan.buffers.size()); ++b) {
    const PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(b)];
    if (buffer.place != Place::arena) continue;
    const auto used = [&](std::size_t begin, std::size_t end) {
      return std::any_of(plan.steps.begin() + static_cast<std::ptrdiff_t>(begin),
                         plan.steps.begin() + static_cast<std::ptrdiff_t>(end),
                         [&](const PlanStep& s) { return touches(s, b); });
    };
    if (used(0, step + 1) && (buffer.keep || used(step, plan.steps.size()))) alive.push_back(b);
  }
  return alive;
}

TEST(MemoryProfile, CountsWhatIsAliveAtEveryStep) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
    const auto program = random_program(DType::f32, seed, 50);
    const Session session(
        program->graph, {.loss = program->loss, .optimizer = AdamW{}, .fetches = program->fetches});
    const Plan& plan = session.plan();
    const MemoryProfile memory = memory_of(plan);
    ASSERT_EQ(memory.live_bytes.size(), plan.steps.size());
    std::size_t most = 0;
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      std::size_t bytes = 0;
      for (const int b : alive_at(plan, i))
        bytes += plan.buffers[static_cast<std::size_t>(b)].bytes;
      EXPECT_EQ(memory.live_bytes[i], bytes) << "step " << i;
      most = std::max(most, bytes);
    }
    EXPECT_EQ(memory.peak_bytes, most);
    EXPECT_LE(memory.peak_bytes, plan.arena_bytes);
    std::vector<int> expected = alive_at(plan, static_cast<std::size_t>(memory.peak_step));
    std::vector<int> buffers = memory.peak_buffers;
    EXPECT_TRUE(std::ranges::is_sorted(buffers, std::ranges::greater(), [&](int b) {
      return plan.buffers[static_cast<std::size_t>(b)].bytes;
    }));
    std::ranges::sort(buffers);
    EXPECT_EQ(buffers, expected);
    std::size_t variables = 0;
    for (const auto& [name, bytes] : bytes_of(*session.parameters()))
      variables += bytes.content.size();
    EXPECT_GE(memory.variable_bytes, variables);  // parameters, and the optimizer's state besides
  }
}

}  // namespace
}  // namespace gradmill
