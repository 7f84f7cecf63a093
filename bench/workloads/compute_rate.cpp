#include "workloads/compute_rate.h"

#include <dnnl.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/threads/sequential_onednn.h>

#include "workloads/median.h"

namespace gradmill::bench {
namespace {

constexpr std::int64_t kSize = 256;
constexpr double kFlops = 2.0 * kSize * kSize * kSize;

}  // namespace

double measure_compute_rate(int threads, double seconds) {
  using Clock = std::chrono::steady_clock;
  std::atomic<int> arrived = 0;
  std::atomic<bool> over = false;
  std::atomic<bool> failed = false;
  std::vector<std::vector<double>> took(static_cast<std::size_t>(threads));
  const auto work = [&](std::vector<double>& own) {
    const SequentialOneDnn sequential;
    const std::vector<float> a(kSize * kSize, 0.5F);
    const std::vector<float> b(kSize * kSize, 0.25F);
    std::vector<float> c(kSize * kSize);
    const auto product = [&] {
      if (dnnl_sgemm('N', 'N', kSize, kSize, kSize, 1, a.data(), kSize, b.data(), kSize, 0,
                     c.data(), kSize) != dnnl_success) {
        failed = true;
      }
    };
    product();  // generates its code
    for (++arrived; arrived < threads;) std::this_thread::yield();
    const auto start = Clock::now();
    for (auto last = start; !over;) {
      product();
      const auto now = Clock::now();
      own.push_back(std::chrono::duration<double>(now - last).count());
      last = now;
      if (now - start > std::chrono::duration<double>(seconds)) over = true;
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) {
    others.emplace_back(work, std::ref(took[static_cast<std::size_t>(i)]));
  }
  work(took[0]);
  for (std::thread& other : others) other.join();
  if (failed) throw Failure("oneDNN could not compute a product of 256 x 256 x 256");
  std::vector<double> all;
  for (const std::vector<double>& own : took) all.insert(all.end(), own.begin(), own.end());
  return threads * kFlops / median(std::move(all)) * 1e-9;
}

}  // namespace gradmill::bench
