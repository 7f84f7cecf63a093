#pragma once

#include <cstdint>
#include <vector>

#include <gradmill/graph/graph.h>
#include <gradmill/runtime/plan.h>

namespace gradmill {

/// Which steps must end before which, as a bit matrix: the transitive closure of the predecessors.
class GRADMILL_API Precedence {
 public:
  explicit Precedence(const std::vector<PlanStep>& steps);
  /// Of steps without any edge.
  explicit Precedence(std::size_t steps);
  /// Declares that `a`, and all that is before it, is before `b`. Edges into `a` must be known
  /// already.
  void add(int a, int b);
  /// Whether step `a` ends before step `b` starts under every legal schedule.
  bool before(int a, int b) const {
    return (rows_[static_cast<std::size_t>(b) * words_ + static_cast<std::size_t>(a) / 64] >>
            (static_cast<unsigned>(a) % 64)) &
           1U;
  }

 private:
  std::size_t words_;
  std::vector<std::uint64_t> rows_;
};

/// The order in which nodes become steps: inputs before readers, an update after every other reader
/// of what it writes and after every fallible node (with `all_fallible`, after every node that is
/// no update). Depends on the graph alone.
GRADMILL_API std::vector<int> execution_order(const Nodes& nodes, bool all_fallible = false);

/// Fills in `predecessors` from what steps read and write: a reader follows the last writer, a
/// writer follows the last writer and all readers since, in the order of `steps`; and every step
/// that writes a variable follows every fallible one before it. Edges that others imply are left
/// out.
GRADMILL_API void derive_predecessors(Plan& plan);

/// The longest chain of steps, weighted by nothing (in steps) and by FLOPs.
struct LongestPath {
  int steps = 0;
  double flops = 0;  ///< along the path with the most FLOPs
};
GRADMILL_API LongestPath longest_path(const Plan& plan);

}  // namespace gradmill
