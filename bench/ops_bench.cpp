// Single ops through a session, at 1 and 2 threads: GFLOP/s for products, GB/s (read plus written,
// each operand once) for the rest.

#include <benchmark/benchmark.h>
#include <gradmill/gradmill.h>

#include <functional>

#include "program.h"

namespace gradmill {
namespace {

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

// Bytes are those of the rows looked up, or of the whole gradient and what is added to it.
void lookup(benchmark::State& state, std::int64_t count, const Shape& table, bool backward) {
  Program program;
  const Value weight = program.input(table);
  const Value y = embedding(program.labels(count, table[0]), weight);
  const Value result = backward ? gradients(y, {weight})[0] : y;
  program.run(state, {result});
  report_bytes(state, 4.0 * static_cast<double>(y.shape().elements() + result.shape().elements()));
}

const bool kDeclared = [] {
  declare("matmul/64x64x64", product, 64, 64, 64, MatmulOptions{});
  declare("matmul/1024x1024x1024", product, 1024, 1024, 1024, MatmulOptions{});
  declare("matmul/512x768x3072", product, 512, 768, 3072, MatmulOptions{});
  declare("matmul/512x768x3072/AB^T", product, 512, 768, 3072, MatmulOptions{.transpose_b = true});
  declare("matmul/512x768x3072/A^TB", product, 512, 768, 3072, MatmulOptions{.transpose_a = true});

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
  declare("slice/4096x1024/axis1", unary, large, [](Value x) { return slice(x, 1, 128, 896); });
  declare("slice/4096x1024/by2", unary, large, [](Value x) { return slice(x, 1, 0, 1024, 2); });
  declare("concat/4096x1024/axis1", unary, large, [](Value x) { return concat({x, x}, 1); });
  declare("dropout/4096x1024", unary, large, [](Value x) { return dropout(x, 0.1); });
  for (const auto& [name, count, table] : {std::tuple("1024of50257x768", 1024, Shape{50257, 768}),
                                           std::tuple("1024of256x768", 1024, Shape{256, 768}),
                                           std::tuple("1024of256x64", 1024, Shape{256, 64})}) {
    declare(cat("embedding/", name).c_str(), lookup, count, table, false);
    declare(cat("embedding_backward/", name).c_str(), lookup, count, table, true);
  }
  return true;
}();

}  // namespace
}  // namespace gradmill
