#pragma once

// What the programs that time whole training steps have in common: the command line, the clock and
// the report. Needs no library, so that a peer's program can use it as it is.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace gradmill::bench {

/// A multilayer perceptron with relu between its layers, trained with AdamW on cross-entropy.
struct Workload {
  std::string name;
  std::int64_t batch = 0;
  std::vector<std::int64_t> sizes;  ///< of the input, the hidden layers and the output

  std::int64_t inputs() const { return sizes.front(); }
  std::int64_t classes() const { return sizes.back(); }
};

struct StepOptions {
  Workload workload;
  int threads = 1;
  double seconds = 2.0;  ///< measured, after the warm-up
  int warmup = 30;       ///< steps that are not counted
};

inline std::vector<Workload> workloads() {
  return {
      {"mlp", 128, {784, 512, 512, 10}},
      {"wide", 512, {784, 2048, 2048, 10}},
      {"tiny", 16, {32, 32, 32, 10}},
  };
}

/// Reads `WORKLOAD THREADS SECONDS [WARMUP]`; ends the program with status 2 when they do not fit.
inline StepOptions parse_step_options(int argc, char** argv) {
  StepOptions options;
  for (const Workload& workload : workloads()) {
    if (argc > 1 && workload.name == argv[1]) options.workload = workload;
  }
  if (argc > 2) options.threads = std::atoi(argv[2]);
  if (argc > 3) options.seconds = std::atof(argv[3]);
  if (argc > 4) options.warmup = std::atoi(argv[4]);
  if (argc < 4 || argc > 5 || options.workload.batch == 0 || options.threads < 1 ||
      options.seconds <= 0 || options.warmup < 0) {
    std::fprintf(stderr, "usage: %s mlp|wide|tiny THREADS SECONDS [WARMUP_STEPS]\n", argv[0]);
    std::exit(2);
  }
  return options;
}

/// A few batches of random data, taken in turns so that no step finds its input in the cache.
struct StepData {
  static constexpr int kBatches = 8;
  std::vector<std::vector<float>> images;
  std::vector<std::vector<std::int64_t>> labels;

  explicit StepData(const Workload& workload) : images(kBatches), labels(kBatches) {
    std::mt19937 generator(1);
    std::uniform_real_distribution<float> pixel(0.0F, 1.0F);
    std::uniform_int_distribution<std::int64_t> label(0, workload.classes() - 1);
    for (int i = 0; i < kBatches; ++i) {
      images[i].resize(static_cast<std::size_t>(workload.batch * workload.inputs()));
      labels[i].resize(static_cast<std::size_t>(workload.batch));
      for (float& value : images[i]) value = pixel(generator);
      for (std::int64_t& value : labels[i]) value = label(generator);
    }
  }
};

/// Runs `step(i)` with i in [0, StepData::kBatches), and prints one line of JSON on stdout. `loss`
/// is read once at the end; `settings` is a JSON object.
template <class Step, class Loss>
void measure_steps(const char* program, const StepOptions& options, const std::string& settings,
                   Step&& step, Loss&& loss) {
  using Clock = std::chrono::steady_clock;
  int batch = 0;
  const auto next = [&] {
    step(batch);
    batch = (batch + 1) % StepData::kBatches;
  };
  for (int i = 0; i < options.warmup; ++i) next();

  std::vector<double> milliseconds;
  const auto begin = Clock::now();
  auto last = begin;
  while (milliseconds.size() < 5 ||
         std::chrono::duration<double>(last - begin).count() < options.seconds) {
    next();
    const auto now = Clock::now();
    milliseconds.push_back(std::chrono::duration<double, std::milli>(now - last).count());
    last = now;
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto quantile = [&](double q) {
    return milliseconds[static_cast<std::size_t>(q * static_cast<double>(milliseconds.size() - 1))];
  };
  std::printf(
      "{\"program\": \"%s\", \"workload\": \"%s\", \"threads\": %d, \"steps\": %zu, "
      "\"median_ms\": %.4f, \"p10_ms\": %.4f, \"p90_ms\": %.4f, \"loss\": %.6f, "
      "\"settings\": %s}\n",
      program, options.workload.name.c_str(), options.threads, milliseconds.size(), quantile(0.5),
      quantile(0.1), quantile(0.9), static_cast<double>(loss()), settings.c_str());
}

/// "KEY": "VALUE" pairs of the environment variables that steer OpenMP and BLAS libraries.
inline std::string environment_json() {
  std::string json;
  for (const char* name : {"OMP_WAIT_POLICY", "OMP_PROC_BIND", "OMP_NUM_THREADS", "GOMP_SPINCOUNT",
                           "LD_PRELOAD", "MKL_THREADING_LAYER"}) {
    if (const char* value = std::getenv(name)) {
      json += (json.empty() ? "\"" : ", \"") + std::string(name) + "\": \"" + value + "\"";
    }
  }
  return json;
}

}  // namespace gradmill::bench
