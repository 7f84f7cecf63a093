#pragma once

// How every step is timed, ours and those of peers. Needs no library.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace gradmill::bench {

/// Milliseconds per step.
struct StepTimes {
  std::size_t steps = 0;
  double median_ms = 0;
  double p10_ms = 0;
  double p90_ms = 0;
};

/// Sorts `ms`.
inline StepTimes step_times(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto quantile = [&](double q) {
    return milliseconds[static_cast<std::size_t>(q * static_cast<double>(milliseconds.size() - 1))];
  };
  return {milliseconds.size(), quantile(0.5), quantile(0.1), quantile(0.9)};
}

/// Runs `step(i)` with i = 0, 1, ... for `seconds`, at least 5 times. Warm-up steps before that do
/// not count: 30, or as many as fit in a quarter of the time, but at least 3.
template <class Step>
StepTimes measure_steps(double seconds, Step&& step) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  int i = 0;
  const auto warm = Clock::now();
  while (i < 3 || (i < 30 && since(warm) < seconds / 4)) step(i++);

  std::vector<double> milliseconds;
  const auto start = Clock::now();
  auto last = start;
  while (milliseconds.size() < 5 || since(start) < seconds) {
    step(i++);
    const auto now = Clock::now();
    milliseconds.push_back(std::chrono::duration<double, std::milli>(now - last).count());
    last = now;
  }
  return step_times(std::move(milliseconds));
}

}  // namespace gradmill::bench
