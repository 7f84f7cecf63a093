#pragma once

#include <benchmark/benchmark.h>
#include <gradmill/gradmill.h>

#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace gradmill {

/// A graph of a few ops whose inputs are random and whose results are fetched.
class Program {
 public:
  Value input(const Shape& shape) {
    const Value value = graph_.input("x" + std::to_string(floats_.size()), shape);
    std::mt19937 generator(static_cast<unsigned>(floats_.size()));
    std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
    std::vector<float>& data = *floats_.emplace_back(
        std::make_unique<std::vector<float>>(static_cast<std::size_t>(shape.elements())));
    for (float& element : data) element = uniform(generator);
    feeds_.emplace_back(value, data);
    return value;
  }

  Value labels(std::int64_t rows, std::int64_t classes) {
    const Value value = graph_.input("labels", {rows}, DType::i64);
    labels_.resize(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      labels_[i] = static_cast<std::int64_t>(i * 7919) % classes;
    }
    feeds_.emplace_back(value, labels_);
    return value;
  }

  void run(benchmark::State& state, std::vector<Value> fetches) {
    Session session(graph_,
                    {.fetches = std::move(fetches), .threads = static_cast<int>(state.range(0))});
    for (int i = 0; i < 3; ++i) session.run(feeds_);
    for (auto _ : state) session.run(feeds_);
    state.SetLabel(session.serial() ? "serial" : "flow graph");
    state.counters["planned_bytes"] = static_cast<double>(session.plan().arena_bytes);
  }

 private:
  Graph graph_;
  std::vector<std::unique_ptr<std::vector<float>>> floats_;
  std::vector<std::int64_t> labels_;
  std::vector<Feed> feeds_;
};

/// Registers a benchmark with 1 and with 2 threads; the thread count is its range.
template <class... Arguments>
void declare(const char* name, Arguments... arguments) {
  benchmark::RegisterBenchmark(name, arguments...)
      ->Arg(1)
      ->Arg(2)
      ->ArgName("threads")
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace gradmill
