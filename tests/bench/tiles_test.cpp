// The plans of the measured steps: enough tiles in each large product, and that the tiles can be
// timed.

#include "workloads/tile_times.h"

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace gradmill::bench {
namespace {

class WorkloadPlan : public testing::TestWithParam<std::string> {};

TEST_P(WorkloadPlan, EveryProductAboveOneGflopHasThirtyTwoTiles) {
  const auto workload = make_workload(GetParam(), 1);
  std::ptrdiff_t large = 0;
  for (const bool fuse : {true, false}) {
    SessionOptions options = workload->options;
    options.threads = 1;
    options.rewrites.fuse = fuse;
    const Session session(workload->graph, options);
    large = 0;
    for (const PlanStep& step : session.plan().steps) {
      if (step.op != "matmul" || step.flops <= 1e9) continue;
      ++large;
      EXPECT_GE(step.tiles, 32) << step.name << ", " << step.shapes << ": "
                                << step.kernel->description();
    }
  }
  std::ptrdiff_t expected = 0;
  for (const Product& product : workload->products) {
    if (!product.fused && product.flops() > 1e9) expected += product.count;
  }
  EXPECT_EQ(large, expected);
}

INSTANTIATE_TEST_SUITE_P(All, WorkloadPlan, testing::ValuesIn(default_workload_names()),
                         [](const testing::TestParamInfo<std::string>& parameter) {
                           std::string name = parameter.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(TileTimes, CoverEveryTileAndAddUpToTheStep) {
  const auto workload = make_workload("mlp-small");
  const TileTimes times = measure_tiles(*workload, 0.2);
  ASSERT_EQ(times.steps.size(), times.plan->steps.size());
  EXPECT_GE(times.runs, 5U);
  double total = 0;
  for (std::size_t i = 0; i < times.steps.size(); ++i) {
    const PlanStep& step = times.plan->steps[i];
    EXPECT_EQ(times.steps[i].tile_ms.size(), static_cast<std::size_t>(step.tiles));
    EXPECT_EQ(times.steps[i].predecessors, step.predecessors);
    for (const double ms : times.steps[i].tile_ms) EXPECT_GT(ms, 0);
    total += std::accumulate(times.steps[i].tile_ms.begin(), times.steps[i].tile_ms.end(), 0.0);
  }
  EXPECT_GT(times.dispatch_ms, 0);
  // The rest of a step is what calling the tiles takes; medians of parts need not add up exactly.
  EXPECT_LT(total, 1.2 * times.serial_ms);
  EXPECT_GT(total, 0.5 * times.serial_ms);
}

}  // namespace
}  // namespace gradmill::bench
