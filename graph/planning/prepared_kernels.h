#pragma once

#include <memory>
#include <span>
#include <vector>

#include <gradmill/graph/graph.h>

namespace gradmill {

/// The kernels of the ops of a graph, each made when it is first asked for. A graph is planned
/// several times for a memory budget, with copies of some of its nodes; making kernels is by far
/// the slowest part of that.
class PreparedKernels {
 public:
  explicit PreparedKernels(const Tuning* tuning) : tuning_(tuning) {}

  /// That of `node`, which is node `number` of the graph or a copy of it. Throws Error, naming op
  /// and node, when it cannot be made.
  std::shared_ptr<const Kernel> get(int number, const Node& node, std::span<const Type> inputs);

  /// What making them took.
  double seconds() const { return seconds_; }

 private:
  const Tuning* tuning_;
  std::vector<std::shared_ptr<const Kernel>> kernels_;  // one per node, null until asked for
  double seconds_ = 0;
};

}  // namespace gradmill
