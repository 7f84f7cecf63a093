// Single ops through a session, at 1 and 2 threads: GFLOP/s for products, GB/s (read plus written,
// each operand once) for the rest.

#include <benchmark/benchmark.h>
#include <gradmill/gradmill.h>

#include <array>
#include <functional>
#include <string>

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

// A loss and the gradients of x and of the weight: three products.
void linear_loss(benchmark::State& state, std::int64_t rows, std::int64_t features,
                 std::int64_t classes, bool fused) {
  Program program;
  const Value x = program.input({rows, features});
  const Value weight = program.input({classes, features});
  const Value labels = program.labels(rows, classes);
  const Value loss =
      fused ? linear_cross_entropy(x, weight, labels) : cross_entropy(linear(x, weight), labels);
  const std::vector<Value> parts = gradients(loss, {x, weight});
  program.run(state, {loss, parts[0], parts[1]});
  report_flops(state, 6.0 * static_cast<double>(rows * features * classes));
}

// The gradient of `op` for all of its inputs: x and two vectors of the size of its last axis.
void backward(benchmark::State& state, const Shape& shape,
              const std::function<Value(std::span<const Value>)>& op) {
  Program program;
  const Shape row{shape[shape.rank() - 1]};
  const std::vector<Value> inputs = {program.input(shape), program.input(row), program.input(row)};
  const Value result = op(inputs);
  const Value upstream = program.input(shape);
  program.run(state, gradients(std::span(&result, 1), inputs, std::span(&upstream, 1)));
  report_bytes(state, 4.0 * 3 * static_cast<double>(shape.elements()));
}

// Bytes are those of the rows that are looked up, or of the whole gradient and what is added to it.
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

  for (const auto& [rows, features, classes] :
       {std::array<std::int64_t, 3>{1024, 256, 256}, {1024, 384, 8192}, {1024, 768, 50257}}) {
    const std::string size =
        "/" + std::to_string(rows) + "x" + std::to_string(features) + "x" + std::to_string(classes);
    declare(("linear_cross_entropy" + size).c_str(), linear_loss, rows, features, classes, true);
    declare(("linear_cross_entropy" + size + "/composed").c_str(), linear_loss, rows, features,
            classes, false);
  }

  const Shape large{4096, 1024};
  declare("relu/4096x1024", unary, large, [](Value x) { return relu(x); });
  declare("exp/4096x1024", unary, large, [](Value x) { return exp(x); });
  declare("tanh/4096x1024", unary, large, [](Value x) { return tanh(x); });
  declare("sigmoid/4096x1024", unary, large, [](Value x) { return sigmoid(x); });
  declare("gelu/4096x1024", unary, large, [](Value x) { return gelu(x); });
  declare("gelu_tanh/4096x1024", unary, large, [](Value x) { return gelu(x, Approximate::tanh); });
  declare("gelu_tanh/4096x1024/gradient", unary, large, [](Value x) {
    const Value y = gelu(x, Approximate::tanh);
    return gradients(std::span(&y, 1), std::span(&x, 1), std::span(&x, 1))[0];
  });
  declare("silu/4096x1024", unary, large, [](Value x) { return silu(x); });
  declare("softplus/4096x1024", unary, large, [](Value x) { return softplus(x); });
  declare("add/4096x1024", binary, large, large);
  declare("add/4096x1024+1024", binary, large, Shape{1024});
  declare("softmax/4096x1024", unary, large, [](Value x) { return softmax(x); });
  declare("log_softmax/4096x1024", unary, large, [](Value x) { return log_softmax(x); });
  declare("softmax/4096x1024/axis0", unary, large, [](Value x) { return softmax(x, 0); });
  for (const std::int64_t width : {384, 768}) {
    const Shape shape{1024, width};
    const std::string size = "/1024x" + std::to_string(width);
    declare(("layer_norm" + size).c_str(), unary, shape,
            [=](Value x) { return layer_norm(x, {width}); });
    declare(("rms_norm" + size).c_str(), unary, shape,
            [=](Value x) { return rms_norm(x, {width}); });
    declare(("layer_norm" + size + "/gradient").c_str(), backward, shape,
            [=](std::span<const Value> x) {
              return layer_norm(x[0], {width}, {.weight = x[1], .bias = x[2]});
            });
  }
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
