#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <gradmill/runtime/plan.h>

namespace gradmill {

/// Which steps must end before which: the transitive closure of the predecessors.
///
/// Exact for steps less than `kWindow` apart, as a band of a bit matrix. Of steps further apart it
/// knows those with a step of the longest path between them, and takes the others for unordered;
/// so its size grows with the steps, not with their square.
class GRADMILL_API Precedence {
 public:
  static constexpr int kWindow = 8192;

  explicit Precedence(const std::vector<PlanStep>& steps);
  /// Of `steps` steps without any edge, of which `add` tells. Far ones are unordered until
  /// `find_spine`.
  explicit Precedence(std::size_t steps);
  /// Declares that `a`, and all that is before it, is before `b`. Edges into `a` must be known
  /// already.
  void add(int a, int b);
  /// Called when all edges are known: finds the longest path.
  void find_spine(const std::vector<PlanStep>& steps);
  /// Whether step `a` ends before step `b` starts under every legal schedule.
  bool before(int a, int b) const {
    if (a >= b) return false;
    const std::size_t word = static_cast<std::size_t>(a) / 64;
    const std::size_t first = first_word(b);
    if (word < first) return far_before(a, b);
    return (rows_[static_cast<std::size_t>(b) * words_ + word - first] >>
            (static_cast<unsigned>(a) % 64)) &
           1U;
  }

 private:
  // Of row `b`, whose last word is the one that `b` itself is in.
  std::size_t first_word(int b) const {
    const std::size_t last = static_cast<std::size_t>(b) / 64;
    return last < words_ ? 0 : last + 1 - words_;
  }
  bool far_before(int a, int b) const;

  std::size_t words_;
  std::vector<std::uint64_t> rows_;
  // One per step, empty while no steps are far apart: the first place on the longest path that
  // follows the step, and the last one that it follows, or that it is.
  std::vector<int> enters_;
  std::vector<int> leaves_;
};

}  // namespace gradmill
