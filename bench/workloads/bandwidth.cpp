#include "workloads/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "workloads/clock.h"

namespace gradmill::bench {
namespace {

constexpr std::size_t kElements = std::size_t{24} << 20U;  // of each array: 100 MB

struct Arrays {
  float* to;
  const float* from;
  const float* more;
  std::size_t count;
};

void copy(const Arrays& part) { std::memcpy(part.to, part.from, part.count * sizeof(float)); }

void triad(const Arrays& part) {
  for (std::size_t i = 0; i < part.count; ++i) part.to[i] = part.from[i] + 3.0F * part.more[i];
}

/// Median milliseconds of a pass by all threads, each over its own part, many times.
double pass_ms(const std::vector<Arrays>& parts, void (*pass)(const Arrays&), double seconds) {
  std::barrier meet(static_cast<std::ptrdiff_t>(parts.size()));
  std::atomic<bool> more = true;
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    others.emplace_back([&, i] {
      for (meet.arrive_and_wait(); more; meet.arrive_and_wait()) {
        pass(parts[i]);
        meet.arrive_and_wait();
      }
    });
  }
  const StepTimes times = measure_steps(seconds, [&](int) {
    meet.arrive_and_wait();
    pass(parts[0]);
    meet.arrive_and_wait();
  });
  more = false;
  meet.arrive_and_wait();
  return times.median_ms;
}

}  // namespace

double measure_bandwidth(int threads, double seconds) {
  const std::unique_ptr<float[]> arrays[] = {std::make_unique_for_overwrite<float[]>(kElements),
                                             std::make_unique_for_overwrite<float[]>(kElements),
                                             std::make_unique_for_overwrite<float[]>(kElements)};
  const auto count = static_cast<std::size_t>(threads);
  std::vector<Arrays> parts;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t start = kElements * i / count;
    parts.push_back({arrays[0].get() + start, arrays[1].get() + start, arrays[2].get() + start,
                     kElements * (i + 1) / count - start});
  }
  {
    std::vector<std::jthread> touch;  // so that pages belong to the threads that use them
    for (std::size_t i = 0; i < count; ++i) {
      touch.emplace_back([&, i] {
        std::fill_n(arrays[0].get() + (parts[i].to - arrays[0].get()), parts[i].count, 1.0F);
        std::fill_n(arrays[1].get() + (parts[i].from - arrays[1].get()), parts[i].count, 2.0F);
        std::fill_n(arrays[2].get() + (parts[i].more - arrays[2].get()), parts[i].count, 3.0F);
      });
    }
  }
  const double bytes = sizeof(float) * static_cast<double>(kElements);
  return std::max(2 * bytes / pass_ms(parts, copy, seconds / 2),
                  3 * bytes / pass_ms(parts, triad, seconds / 2)) /
         1e6;
}

}  // namespace gradmill::bench
