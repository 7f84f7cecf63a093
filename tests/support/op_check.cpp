#include "op_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "error_of.h"

namespace gradmill {

Array to_array(const TensorView& view) {
  Array result(view.type.shape);
  if (view.type.dtype == DType::f32) {
    std::ranges::copy(view.as<float>(), result.data.begin());
  } else {
    std::ranges::copy(view.as<double>(), result.data.begin());
  }
  return result;
}

Value constant(Graph& graph, const Array& array, DType dtype) {
  if (dtype == DType::f64) return graph.constant(std::span<const double>(array.data), array.shape);
  const std::vector<float> narrow(array.data.begin(), array.data.end());
  return graph.constant(std::span<const float>(narrow), array.shape);
}

namespace {

// A graph with the inputs declared, and their values in its dtype.
class Bench {
 public:
  Bench(const std::vector<Array>& inputs, DType dtype) : dtype_(dtype) {
    for (const Array& input : inputs) {
      values.push_back(graph.input(cat("x", values.size()), input.shape, dtype));
    }
    set(inputs);
  }

  void set(const std::vector<Array>& inputs) {
    f32_.clear();
    f64_.clear();
    for (const Array& input : inputs) {
      f32_.emplace_back(input.data.begin(), input.data.end());
      f64_.push_back(input.data);
    }
  }

  std::vector<Feed> feeds() const {
    std::vector<Feed> feeds;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (dtype_ == DType::f32) {
        feeds.emplace_back(values[i], f32_[i]);
      } else {
        feeds.emplace_back(values[i], f64_[i]);
      }
    }
    return feeds;
  }

  // sum(result * weights), with weights that are the same each time.
  Value weighted(Value result) {
    Random random(99);
    const Array weights = random.array(result.shape(), 0.5, 1.5);
    return sum(result * constant(graph, weights, dtype_));
  }

  Graph graph;
  std::vector<Value> values;

 private:
  DType dtype_;
  std::vector<std::vector<float>> f32_;
  std::vector<std::vector<double>> f64_;
};

constexpr std::int64_t kEveryElement = 1'000'000;

}  // namespace

Array evaluate(const Builder& build, const std::vector<Array>& inputs, DType dtype,
               SessionOptions options) {
  Bench bench(inputs, dtype);
  const Value result = build(bench.values);
  EXPECT_EQ(result.dtype(), dtype);
  options.fetches = {result};
  options.training = true;  // ops are checked as they train
  options.threads = 1;
  options.execution = Execution::serial;
  Session serial(bench.graph, options);
  serial.run(bench.feeds());
  const TensorView expected = serial.view(result);
  const std::vector<PlanStep>& steps = serial.plan().steps;
  if (steps.size() != 1 || steps[0].tiles > 1) {  // else nothing for a second thread
    options.threads = 3;
    options.execution = Execution::flow_graph;
    Session parallel(bench.graph, options);
    parallel.run(bench.feeds());
    if (std::memcmp(expected.data, parallel.view(result).data, expected.type.bytes()) != 0) {
      ADD_FAILURE() << expected.type << " has other bits on 3 threads than serially";
    }
  }
  return to_array(expected);
}

std::vector<Array> rounded_to_f32(std::vector<Array> inputs) {
  for (Array& input : inputs) {
    for (double& value : input.data) value = static_cast<float>(value);
  }
  return inputs;
}

void expect_near(const Array& actual, const Array& expected, double tolerance) {
  ASSERT_EQ(actual.shape, expected.shape);
  for (std::int64_t i = 0; i < actual.size(); ++i) {
    const double a = actual[i];
    const double b = expected[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ASSERT_LE(std::abs(a - b), tolerance * (1 + std::abs(b)))
        << "element " << i << " of " << actual.shape << ": " << a << " rather than " << b;
  }
}

void expect_values(const Builder& build,
                   const std::function<Array(const std::vector<Array>&)>& reference,
                   const std::vector<Array>& inputs, Tolerance tolerance) {
  {
    SCOPED_TRACE("f64");
    expect_near(evaluate(build, inputs, DType::f64), reference(inputs), tolerance.f64);
  }
  SCOPED_TRACE("f32");
  const std::vector<Array> narrow = rounded_to_f32(inputs);
  expect_near(evaluate(build, narrow, DType::f32), reference(narrow), tolerance.f32);
}

void expect_gradients(const Builder& build, const std::vector<Array>& inputs, double tolerance) {
  Bench bench(inputs, DType::f64);
  const GradcheckReport report = gradcheck(
      bench.graph, build(bench.values), bench.feeds(),
      {.wrt = bench.values, .atol = tolerance, .rtol = tolerance, .max_elements = kEveryElement});
  EXPECT_TRUE(report.ok()) << report.message();
  for (const GradcheckTensor& tensor : report.tensors) {
    EXPECT_EQ(tensor.checked, tensor.type.shape.elements()) << tensor.name;
    EXPECT_EQ(tensor.kinks, 0) << tensor.name << ": choose inputs away from the kinks";
  }
}

void expect_second_gradients(const Builder& build, const std::vector<Array>& inputs,
                             double tolerance) {
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    SCOPED_TRACE(cat("gradient of the gradient for input ", k));
    const Builder first = [&](std::span<const Value> values) {
      const Value result = build(values);
      Random random(77);
      const Array weights = random.array(result.shape(), 0.5, 1.5);
      const Value constant =
          result.graph().constant(std::span<const double>(weights.data), weights.shape);
      return gradients(std::span(&result, 1), values, std::span(&constant, 1))[k];
    };
    expect_gradients(first, inputs, tolerance);
  }
}

void expect_same_bits(const Builder& build, const std::vector<Array>& inputs) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Bench bench(inputs, dtype);
    const Value result = build(bench.values);
    std::vector<Value> fetches = gradients(bench.weighted(result), bench.values);
    fetches.push_back(result);
    std::vector<std::vector<std::byte>> first;
    for (const int threads : {0, 1, 2, 3, 8}) {
      SCOPED_TRACE(cat(to_string(dtype), ", ", threads, " threads (0: serial)"));
      Session session(bench.graph,
                      {.training = true,
                       .fetches = fetches,
                       .threads = std::max(threads, 1),
                       .execution = threads == 0 ? Execution::serial : Execution::flow_graph});
      for (int repeat = 0; repeat < 2; ++repeat) {
        session.run(bench.feeds());
        for (std::size_t i = 0; i < fetches.size(); ++i) {
          const TensorView view = session.view(fetches[i]);
          const auto* bytes = static_cast<const std::byte*>(view.data);
          if (first.size() == i) first.emplace_back(bytes, bytes + view.type.bytes());
          ASSERT_EQ(std::memcmp(first[i].data(), bytes, first[i].size()), 0)
              << "fetch " << i << ' ' << view.type;
        }
      }
    }
  }
}

std::int64_t most_tiles(const Builder& build, const std::vector<Array>& inputs) {
  Bench bench(inputs, DType::f32);
  const Value result = build(bench.values);
  Session session(bench.graph, {.fetches = {result}});
  std::int64_t most = 0;
  for (const PlanStep& step : session.plan().steps) most = std::max(most, step.tiles);
  return most;
}

std::string refusal(const Builder& build, const std::vector<Type>& types) {
  Graph graph;
  std::vector<Value> values;
  for (const Type& type : types) {
    values.push_back(graph.input(cat("x", values.size()), type.shape, type.dtype));
  }
  const std::size_t nodes = graph.nodes().size();
  const std::string message = error_of([&] { build(values); });
  EXPECT_EQ(graph.nodes().size(), nodes) << "the refused call changed the graph";
  return message;
}

}  // namespace gradmill
