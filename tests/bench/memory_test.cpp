// What the plans of the measured steps take beyond parameters and optimizer state.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include "workloads/workload.h"

namespace gradmill::bench {
namespace {

class WorkloadMemory : public testing::TestWithParam<const char*> {};

TEST_P(WorkloadMemory, PlannedBytesAreAtMostThreeFifthsOfTheUnfusedPlanWithoutReuse) {
  const auto workload = make_workload(GetParam(), 1);
  SessionOptions options = workload->options;
  options.threads = 1;
  const Session session(workload->graph, options);
  options.rewrites = {
      .fuse = false, .fuse_updates = false, .merge_equal = false, .drop_dead = false};
  const Session unfused(workload->graph, options);
  const auto planned = static_cast<double>(session.plan().arena_bytes);
  const auto plain = static_cast<double>(unfused.plan().unshared_bytes);
  RecordProperty("planned_bytes", std::to_string(session.plan().arena_bytes));
  RecordProperty("unfused_bytes", std::to_string(unfused.plan().unshared_bytes));
  EXPECT_LE(planned, 0.6 * plain) << planned << " bytes of " << plain;
  // All values, with the gradients of the parameters: the plan that is compared with is the real
  // one.
  EXPECT_GE(plain, static_cast<double>(bytes_in(unfused.plan(), Place::variable)) / 3);
}

INSTANTIATE_TEST_SUITE_P(Perceptrons, WorkloadMemory, testing::Values("mlp", "mlp-wide"),
                         [](const testing::TestParamInfo<const char*>& parameter) {
                           return std::string(parameter.param) == "mlp" ? "mlp" : "mlp_wide";
                         });

}  // namespace
}  // namespace gradmill::bench
