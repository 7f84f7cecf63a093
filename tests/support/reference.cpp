#include "reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <map>

namespace gradmill {
namespace {

using Json = nlohmann::json;

constexpr DType kDTypes[] = {DType::f32, DType::f64};
constexpr int kThreads[] = {1, 3};

bool same_bits(const Array& a, const Array& b) {
  // f32 was widened, which keeps zeros' signs and tells all numbers apart.
  return a.shape == b.shape && std::ranges::equal(a.data, b.data, [](double x, double y) {
           return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
         });
}

}  // namespace

const Json& pytorch_numbers(const std::string& name) {
  static std::map<std::string, Json> files;
  const auto known = files.find(name);
  if (known != files.end()) return known->second;
  const std::string path = TEST_DATA "/pytorch/" + name + ".json";
  std::ifstream file(path);
  check(file.is_open(), "cannot open ", path);
  return files.emplace(name, Json::parse(file)).first->second;
}

Array to_array(const Json& data, const Shape& shape) {
  Array array(shape);
  check(data.size() == array.data.size(), data.size(), " numbers for ", shape);
  std::ranges::transform(data, array.data.begin(), [](const Json& number) {
    return number.is_string() ? std::stod(number.get<std::string>()) : number.get<double>();
  });
  return array;
}

Array to_array(const Json& json) {
  return to_array(json.at("data"), Shape(json.at("shape").get<std::vector<std::int64_t>>()));
}

void assign(const Session& session, std::string_view name, const Array& array, DType dtype) {
  if (dtype == DType::f64) {
    session.parameters()->assign<double>(name, array.data);
  } else {
    const std::vector<float> narrow(array.data.begin(), array.data.end());
    session.parameters()->assign<float>(name, narrow);
  }
}

Fed::Fed(Value input, const Array& array) : input_(input), f64_(array.data) {
  check(array.shape == input.shape(), array.shape, " fed to ", input.shape());
  f32_.assign(array.data.begin(), array.data.end());
}

Feed Fed::feed() const {
  return input_.dtype() == DType::f32 ? Feed(input_, f32_) : Feed(input_, f64_);
}

void expect_agrees(const Array& actual, const Array& expected, DType dtype, Bound f32) {
  const Bound bound = dtype == DType::f32 ? f32 : Bound{1e-12, 1e-12};
  ASSERT_EQ(actual.shape, expected.shape);
  for (std::int64_t i = 0; i < actual.size(); ++i) {
    const double a = actual[i];
    const double b = expected[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ASSERT_LE(std::abs(a - b), bound.relative * std::abs(b) + bound.absolute)
        << "element " << i << " of " << actual.shape << ": " << a << " rather than " << b;
  }
}

void with_threads(const std::function<std::vector<Array>(DType, int threads)>& run) {
  for (const DType dtype : kDTypes) {
    std::vector<Array> first;
    for (const int threads : kThreads) {
      SCOPED_TRACE(cat(to_string(dtype), ", ", threads, " threads"));
      const std::vector<Array> results = run(dtype, threads);
      if (testing::Test::HasFatalFailure()) return;
      if (first.empty()) first = results;
      ASSERT_TRUE(std::ranges::equal(results, first, same_bits)) << "not the bits of one thread";
    }
  }
}

Outcome outcome(const Builder& build, const std::vector<Array>& inputs, const Array& upstream,
                DType dtype, int threads) {
  Graph graph;
  std::vector<Value> values;
  std::vector<Fed> fed;
  for (const Array& input : inputs) {
    values.push_back(graph.input(cat("x", values.size()), input.shape, dtype));
    fed.emplace_back(values.back(), input);
  }
  const Value result = build(values);
  const Value weights = constant(graph, upstream, dtype);
  std::vector<Value> fetches = gradients(std::span(&result, 1), values, std::span(&weights, 1));
  fetches.push_back(result);
  Session session(graph, {.fetches = fetches,
                          .threads = threads,
                          .execution = threads == 1 ? Execution::serial : Execution::flow_graph});
  std::vector<Feed> feeds;
  for (const Fed& input : fed) feeds.push_back(input.feed());
  session.run(feeds);
  Outcome outcome{to_array(session.view(result)), {}};
  fetches.pop_back();
  for (const Value gradient : fetches) {
    outcome.gradients.push_back(to_array(session.view(gradient)));
  }
  return outcome;
}

void expect_outcome(const Builder& build, const std::vector<Array>& inputs, const Array& upstream,
                    const Outcome& expected, Bounds f32) {
  ASSERT_EQ(expected.gradients.size(), inputs.size());
  with_threads([&](DType dtype, int threads) {
    Outcome actual = outcome(build, inputs, upstream, dtype, threads);
    {
      SCOPED_TRACE("result");
      expect_agrees(actual.result, expected.result, dtype, f32.result);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      SCOPED_TRACE(cat("gradient of input ", i));
      expect_agrees(actual.gradients[i], expected.gradients[i], dtype, f32.gradients);
    }
    actual.gradients.push_back(actual.result);
    return actual.gradients;
  });
}

}  // namespace gradmill
