#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace gradmill {

/// How far a training that counts steps is.
struct StepCount {
  std::int64_t done = 0;
  std::int64_t all = 0;
  std::int64_t first = 0;  ///< steps that were done before this run
  std::int64_t tokens_per_step = 0;
  std::size_t planned_bytes = 0;
};

/// The text of the bar, max `columns` wide: step, loss, tokens/s, memory, time left.
std::string step_line(const StepCount& count, double loss, double seconds, int columns);

/// Shows on stderr how training goes: a bar that redraws itself if stderr is a terminal, and in any
/// case one line per validation.
class StepProgress {
 public:
  explicit StepProgress(const StepCount& count);

  void step(std::int64_t done, double loss);
  /// The mean losses of the training steps since the last call, and of the validation part.
  void evaluation(std::int64_t done, double train_loss, double validation_loss);
  /// Takes the bar off the screen, before something else is written.
  void clear();
  double tokens_per_second(std::int64_t done) const;

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const;

  StepCount count_;
  bool terminal_;
  bool visible_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_{};
};

}  // namespace gradmill
