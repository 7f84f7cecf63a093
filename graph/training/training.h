#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/optimizer.h>
#include <gradmill/graph/parameters.h>

namespace gradmill {

/// How parameters follow their gradients, as in SessionOptions.
struct TrainingOptions {
  std::shared_ptr<const Optimizer> optimizer = {};
  std::span<const ParameterGroup> groups = {};
  std::shared_ptr<const GradientScaling> scaling = {};
  int micro_batches = 1;
};

/// What makes a step a training step: the nodes that compute gradients and update with them, and
/// the counting of the updates.
class Training {
 public:
  /// Adds to `graph` the gradients of `loss`, a value of it, and the updates of all parameters on
  /// which it depends; their state is added to `parameters`. Throws Error when there are none, or a
  /// group lists what is in another group, no parameter, or has another learning rate.
  Training(Graph& graph, const Value& loss, const TrainingOptions& options,
           std::shared_ptr<Parameters> parameters);

  /// The norm of the whole gradient, a value of the graph; null without scaling.
  const Value& gradient_norm() const { return norm_; }

  /// To be called after each step that has updated.
  void count_step();

 private:
  std::shared_ptr<Parameters> parameters_;
  Value norm_;
  std::vector<std::int64_t*> update_counts_;  // of the parameters whose optimizer counts
};

}  // namespace gradmill
