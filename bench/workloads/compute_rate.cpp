#include "workloads/compute_rate.h"

#include <dnnl.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/sequential_onednn.h>

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
  std::vector<double> rates(static_cast<std::size_t>(threads), 0);
  const auto work = [&](double& rate) {
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
    product();  // makes its code
    for (++arrived; arrived < threads;) std::this_thread::yield();
    std::int64_t done = 0;
    const auto begin = Clock::now();
    auto now = begin;
    for (; !over; ++done) {
      product();
      now = Clock::now();
      if (now - begin > std::chrono::duration<double>(seconds)) over = true;
    }
    rate = static_cast<double>(done) * kFlops / std::chrono::duration<double>(now - begin).count();
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) {
    others.emplace_back(work, std::ref(rates[static_cast<std::size_t>(i)]));
  }
  work(rates[0]);
  double all = 0;
  for (std::thread& other : others) other.join();
  for (const double rate : rates) all += rate;
  if (failed) throw Failure("oneDNN could not do a product of 256 x 256 x 256");
  return all * 1e-9;
}

}  // namespace gradmill::bench
