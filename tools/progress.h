#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "metrics.h"

namespace gradmill {

/// Shows on stderr how training goes: a bar that redraws itself if stderr is a terminal, and in any
/// case one line per epoch.
class Progress {
 public:
  /// `images` in an epoch.
  Progress(int epochs, std::int64_t images);

  /// After a step: `images` of epoch `epoch` are done, with a mean loss of `loss`.
  void step(int epoch, std::int64_t images, double loss);
  /// After the evaluation that ends an epoch.
  void epoch(const EpochMetrics& metrics);
  /// Takes the bar off the screen, before something else is written.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool terminal_;
  int epochs_;
  std::int64_t images_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_{};
  bool visible_ = false;
};

/// The text of the bar, max `columns` wide: epoch, share done, loss, samples/s, time left.
/// `done` and `total` count images over all epochs, `seconds` is the time since the first.
std::string progress_line(int epoch, int epochs, double share, double loss, double done,
                          double total, double seconds, int columns);

}  // namespace gradmill
