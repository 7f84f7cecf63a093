#pragma once

// How much of a plan's arena is in use while steps start and end.

#include <cstddef>
#include <vector>

#include <gradmill/runtime/plan.h>
#include <gradmill/runtime/support/lists.h>

namespace gradmill {

/// Follows the steps of one run. A buffer lives from the start of the first step that touches it to
/// the end of the last, or to the end of the run where it is kept.
class LiveBytes {
 public:
  /// The plan must outlive it.
  explicit LiveBytes(const Plan& plan);

  /// Before each run.
  void reset();
  void begin(int step);
  void end(int step);
  std::size_t bytes() const { return bytes_; }
  /// Whether a buffer of the arena is alive.
  bool alive(int buffer) const { return alive_[static_cast<std::size_t>(buffer)]; }

 private:
  const Plan& plan_;
  Lists touched_;          // one per step: the arena's buffers
  std::vector<int> uses_;  // one per buffer: steps that touch it
  std::vector<int> left_;  // of these
  std::vector<bool> alive_;
  std::size_t bytes_ = 0;
};

}  // namespace gradmill
