// The same bits with any number of threads, for every step that is measured unless it takes
// seconds, with and without a tuning.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "workloads/workload.h"

namespace gradmill::bench {
namespace {

using Results = std::map<std::string, std::vector<std::byte>>;

std::vector<std::byte> bytes_of(const TensorView& tensor) {
  const auto* begin = static_cast<const std::byte*>(tensor.data);
  return {begin, begin + tensor.type.bytes()};
}

/// Large steps are run once, the others twice, so that an update is part of the second's loss.
int steps_of(const Workload& workload) { return product_flops(workload) > 10e9 ? 1 : 2; }

/// Loss and fetches of each step, parameters and optimizer state at the end.
Results results(const Workload& workload, int threads, Execution execution,
                const std::shared_ptr<const Tuning>& tuning) {
  SessionOptions options = workload.options;
  options.threads = threads;
  options.execution = execution;
  options.tuning = tuning;
  Session session(workload.graph, options);
  Results result;
  for (int step = 0; step < steps_of(workload); ++step) {
    session.run(workload.batches[static_cast<std::size_t>(step) % workload.batches.size()]);
    if (options.loss) result[cat("loss ", step)] = bytes_of(session.view(options.loss));
    for (const Value& value : options.fetches) {
      result[cat(value.name(), ' ', step)] = bytes_of(session.view(value));
    }
  }
  for (const PlanBuffer& buffer : session.plan().buffers) {
    if (buffer.place != Place::variable) continue;
    const auto* begin = static_cast<const std::byte*>(buffer.address);
    result[buffer.name] = {begin, begin + buffer.bytes};
  }
  return result;
}

/// For each product of the workload another way than its own: the last on its list, and for every
/// second one with its sum cut in three besides.
std::shared_ptr<const Tuning> another_way(const Workload& workload) {
  SessionOptions options = workload.options;
  options.threads = 1;
  const Session session(workload.graph, options);
  const auto tuning = std::make_shared<Tuning>();
  for (const PlanStep& step : session.plan().steps) {
    const Tunable* tunable = step.kernel->tunable();
    if (tunable == nullptr) continue;
    std::vector<std::int64_t> choice = tunable->choices().back();
    if (tuning->entries().size() % 2 == 0) choice.at(2) = 3;
    tuning->set(tunable->tuning_key(), choice);
  }
  return tuning;
}

class WorkloadBits : public testing::TestWithParam<std::string> {};

TEST_P(WorkloadBits, AreTheSameWithAnyNumberOfThreads) {
  const auto workload = make_workload(GetParam(), 2);
  std::vector<std::shared_ptr<const Tuning>> tunings = {nullptr};
  if (const auto other = another_way(*workload); !other->entries().empty()) {
    tunings.push_back(other);
  }
  for (const auto& tuning : tunings) {
    SCOPED_TRACE(tuning == nullptr ? "without tuning" : "with a tuning");
    const Results expected = results(*workload, 1, Execution::serial, tuning);
    ASSERT_FALSE(expected.empty());
    for (const int threads : {1, 2, 3, 8}) {
      const Results actual = results(*workload, threads, Execution::flow_graph, tuning);
      ASSERT_EQ(actual.size(), expected.size());
      for (const auto& [name, bytes] : expected) {
        EXPECT_TRUE(actual.at(name) == bytes) << name << " with " << threads << " threads";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, WorkloadBits, testing::ValuesIn(default_workload_names()),
                         [](const testing::TestParamInfo<std::string>& parameter) {
                           std::string name = parameter.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gradmill::bench
