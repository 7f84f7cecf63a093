// What PyTorch computes for the same inputs; the numbers are made by
// tests/support/make_reference.py.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "support/op_check.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;

const Json& numbers() {
  static const Json json = Json::parse(std::ifstream(TEST_DATA "/pytorch.json"));
  return json;
}

Array to_array(const Json& json) {
  return {Shape(json.at("shape").get<std::vector<std::int64_t>>()),
          json.at("data").get<std::vector<double>>()};
}

const std::map<std::string, Builder>& builders() {
  using Inputs = std::span<const Value>;
  static const std::map<std::string, Builder> builders = {
      {"add", [](Inputs x) { return x[0] + x[1]; }},
      {"sub", [](Inputs x) { return x[0] - x[1]; }},
      {"mul", [](Inputs x) { return x[0] * x[1]; }},
      {"div", [](Inputs x) { return x[0] / x[1]; }},
      {"neg", [](Inputs x) { return -x[0]; }},
      {"exp", [](Inputs x) { return exp(x[0]); }},
      {"log", [](Inputs x) { return log(x[0]); }},
      {"sqrt", [](Inputs x) { return sqrt(x[0]); }},
      {"tanh", [](Inputs x) { return tanh(x[0]); }},
      {"sigmoid", [](Inputs x) { return sigmoid(x[0]); }},
      {"relu", [](Inputs x) { return relu(x[0]); }},
      {"sum_0_2",
       [](Inputs x) {
         return sum(x[0], {0, 2});
       }},
      {"mean_1_keepdim", [](Inputs x) { return mean(x[0], {1}, true); }},
      {"max_0_2",
       [](Inputs x) {
         return max(x[0], {0, 2});
       }},
      {"max_1", [](Inputs x) { return max(x[0], {1}); }},
      {"transpose_0_2", [](Inputs x) { return transpose(x[0], 0, 2); }},
      {"reshape_3_4",
       [](Inputs x) {
         return reshape(x[0], {3, 4});
       }},
      {"softmax_0", [](Inputs x) { return softmax(x[0], 0); }},
      {"softmax_1", [](Inputs x) { return softmax(x[0], 1); }},
      {"log_softmax_0", [](Inputs x) { return log_softmax(x[0], 0); }},
      {"log_softmax_1", [](Inputs x) { return log_softmax(x[0], 1); }},
      {"matmul", [](Inputs x) { return matmul(x[0], x[1]); }},
      {"linear", [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"cross_entropy",
       [](Inputs x) {
         const auto labels = numbers().at("labels").get<std::vector<std::int64_t>>();
         return cross_entropy(x[0],
                              x[0].graph().constant(std::span<const std::int64_t>(labels), {3}));
       }},
  };
  return builders;
}

const std::map<std::string, std::shared_ptr<const Optimizer>>& optimizers() {
  static const std::map<std::string, std::shared_ptr<const Optimizer>> optimizers = {
      {"sgd", SGD{.lr = 0.1}},
      {"sgd_momentum", SGD{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01}},
      {"sgd_nesterov", SGD{.lr = 0.1, .momentum = 0.8, .weight_decay = 0.01, .nesterov = true}},
      {"adamw", AdamW{.lr = 0.01}},
      {"adamw_options",
       AdamW{.lr = 0.05, .beta1 = 0.5, .beta2 = 0.9, .eps = 1e-3, .weight_decay = 0.1}},
  };
  return optimizers;
}

TEST(PyTorch, GivesTheSameResultsAndGradients) {
  ASSERT_EQ(numbers().at("ops").size(), builders().size());
  for (const Json& tested : numbers().at("ops")) {
    const std::string name = tested.at("op");
    SCOPED_TRACE(name);
    const Builder& build = builders().at(name);
    std::vector<Array> inputs;
    for (const Json& input : tested.at("inputs")) inputs.push_back(to_array(input));
    const Array upstream = to_array(tested.at("upstream"));
    for (const DType dtype : {DType::f32, DType::f64}) {
      SCOPED_TRACE(to_string(dtype));
      const double tolerance = dtype == DType::f32 ? 3e-6 : 1e-14;
      expect_near(evaluate(build, inputs, dtype), to_array(tested.at("result")), tolerance);
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        std::vector<Array> with_upstream = inputs;
        with_upstream.push_back(upstream);
        const Builder gradient = [&](std::span<const Value> x) {
          const Value result = build(x.first(inputs.size()));
          return gradients({result}, {x[i]}, {x.back()})[0];
        };
        expect_near(evaluate(gradient, with_upstream, dtype),
                    to_array(tested.at("gradients").at(i)), tolerance);
      }
    }
  }
}

TEST(PyTorch, TrainsToTheSameParameters) {
  ASSERT_EQ(numbers().at("optimizers").size(), optimizers().size());
  for (const Json& tested : numbers().at("optimizers")) {
    const std::string name = tested.at("optimizer");
    SCOPED_TRACE(name);
    Graph graph;
    const Value x = graph.input("x", {3}, DType::f64);
    const Value p = graph.parameter("p", {3}, Initializer::zeros(), DType::f64);
    Session session(graph, {.loss = sum(p * x), .optimizer = optimizers().at(name)});
    session.parameters()->assign<double>("p", to_array(tested.at("start")).data);
    for (const Json& gradient : tested.at("gradients")) {
      const auto fed = gradient.get<std::vector<double>>();
      session.run({{x, fed}});
    }
    Array end({3});
    session.fetch<double>(p, end.data);
    expect_near(end, to_array(tested.at("end")), 1e-14);
  }
}

}  // namespace
}  // namespace gradmill
