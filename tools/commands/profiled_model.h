#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gradmill/graph/session.h>

#include "commands/commands.h"
#include "models/mlp.h"
#include "models/random_batch.h"
#include "workloads/workload.h"

namespace gradmill {

/// A training step to look at, and what to feed it: a model, or a workload of the benchmarks.
class ProfiledModel {
 public:
  /// `workload` may be empty. Throws Error for one that is not known.
  ProfiledModel(const ModelOptions& model, const OptimizerOptions& optimizer,
                const std::string& workload);

  /// "mlp 784-512-512-10, batch 128, adamw".
  const std::string& title() const { return title_; }
  const Graph& graph() const;
  const SessionOptions& options() const { return options_; }
  /// The feeds of the given step. A model's batch is made at the first call, so that a plan can be
  /// shown whose batch would not fit in memory.
  std::span<const Feed> feeds(std::size_t step);

 private:
  std::string title_;
  SessionOptions options_;
  std::unique_ptr<Mlp> mlp_;
  std::unique_ptr<RandomBatch> batch_;
  std::unique_ptr<bench::Workload> workload_;
};

}  // namespace gradmill
