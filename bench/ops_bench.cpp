// Single ops through a session, at 1 and 2 threads: GFLOP/s for products, GB/s (read plus written,
// each operand once) for the rest.

#include <benchmark/benchmark.h>
#include <gradmill/gradmill.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace gradmill {
namespace {

/// A graph of one op, its inputs filled with random numbers and its results fetched.
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
  }

 private:
  Graph graph_;
  std::vector<std::unique_ptr<std::vector<float>>> floats_;
  std::vector<std::int64_t> labels_;
  std::vector<Feed> feeds_;
};

void report_flops(benchmark::State& state, double flops) {
  state.counters["FLOP/s"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

void report_bytes(benchmark::State& state, double bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) *
                          static_cast<std::int64_t>(state.iterations()));
}

void product(benchmark::State& state, std::int64_t m, std::int64_t k, std::int64_t n,
             MatmulOptions options) {
  Program program;
  const Value a = program.input(options.transpose_a ? Shape{k, m} : Shape{m, k});
  const Value b = program.input(options.transpose_b ? Shape{n, k} : Shape{k, n});
  program.run(state, {matmul(a, b, options)});
  report_flops(state, 2.0 * static_cast<double>(m * k * n));
}

/// Loss and the gradient of the logits; the logits are read once and the gradient written once.
void cross_entropy_step(benchmark::State& state, std::int64_t rows, std::int64_t classes) {
  Program program;
  const Value logits = program.input({rows, classes});
  const Value loss = cross_entropy(logits, program.labels(rows, classes));
  program.run(state, {loss, gradients(loss, {logits})[0]});
  report_bytes(state, 2.0 * 4.0 * static_cast<double>(rows * classes));
}

void unary(benchmark::State& state, const Shape& shape, const std::function<Value(Value)>& op) {
  Program program;
  const Value result = op(program.input(shape));
  program.run(state, {result});
  report_bytes(state, 4.0 * static_cast<double>(shape.elements() + result.shape().elements()));
}

void binary(benchmark::State& state, const Shape& left, const Shape& right) {
  Program program;
  const Value a = program.input(left);
  const Value b = program.input(right);
  const Value result = add(a, b);
  program.run(state, {result});
  report_bytes(state, 4.0 * static_cast<double>(left.elements() + right.elements() +
                                                result.shape().elements()));
}

template <class... Arguments>
void declare(const char* name, Arguments... arguments) {
  benchmark::RegisterBenchmark(name, arguments...)
      ->Arg(1)
      ->Arg(2)
      ->ArgName("threads")
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

const bool kDeclared = [] {
  declare("matmul/64x64x64", product, 64, 64, 64, MatmulOptions{});
  declare("matmul/1024x1024x1024", product, 1024, 1024, 1024, MatmulOptions{});
  declare("matmul/512x768x3072", product, 512, 768, 3072, MatmulOptions{});
  declare("matmul/512x768x3072/AB^T", product, 512, 768, 3072, MatmulOptions{.transpose_b = true});
  declare("matmul/512x768x3072/A^TB", product, 512, 768, 3072, MatmulOptions{.transpose_a = true});
  declare("cross_entropy/65536x10", cross_entropy_step, 65536, 10);
  declare("cross_entropy/8192x1000", cross_entropy_step, 8192, 1000);
  declare("cross_entropy/1024x50257", cross_entropy_step, 1024, 50257);

  const Shape large{4096, 1024};
  declare("relu/4096x1024", unary, large, [](Value x) { return relu(x); });
  declare("exp/4096x1024", unary, large, [](Value x) { return exp(x); });
  declare("tanh/4096x1024", unary, large, [](Value x) { return tanh(x); });
  declare("sigmoid/4096x1024", unary, large, [](Value x) { return sigmoid(x); });
  declare("add/4096x1024", binary, large, large);
  declare("add/4096x1024+1024", binary, large, Shape{1024});
  declare("softmax/4096x1024", unary, large, [](Value x) { return softmax(x); });
  declare("log_softmax/4096x1024", unary, large, [](Value x) { return log_softmax(x); });
  declare("softmax/4096x1024/axis0", unary, large, [](Value x) { return softmax(x, 0); });
  declare("sum/4096x1024", unary, large, [](Value x) { return sum(x); });
  declare("sum/4096x1024/axis0", unary, large, [](Value x) { return sum(x, {0}); });
  declare("sum/4096x1024/axis1", unary, large, [](Value x) { return sum(x, {1}); });
  declare("max/4096x1024/axis1", unary, large, [](Value x) { return max(x, {1}); });
  declare("transpose/4096x1024", unary, large, [](Value x) { return transpose(x, 0, 1); });
  return true;
}();

}  // namespace
}  // namespace gradmill
