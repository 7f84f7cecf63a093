// What PyTorch computes for the same inputs: tests/reference/make.py.

#include <gtest/gtest.h>

#include <map>

#include "support/reference.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;

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
      {"sum", [](Inputs x) { return sum(x[0]); }},
      {"sum_0_2",
       [](Inputs x) {
         return sum(x[0], {0, 2});
       }},
      {"mean", [](Inputs x) { return mean(x[0]); }},
      {"mean_1_keepdim", [](Inputs x) { return mean(x[0], {1}, true); }},
      {"max", [](Inputs x) { return max(x[0]); }},
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
      {"linear", [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"linear_vector", [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"linear_no_bias", [](Inputs x) { return linear(x[0], x[1]); }},
  };
  return builders;
}

TEST(PyTorch, GivesTheSameResultsAndGradients) {
  const Json& cases = pytorch_numbers("ops").at("cases");
  ASSERT_EQ(cases.size(), builders().size());
  for (const Json& tested : cases) {
    const std::string name = tested.at("op");
    SCOPED_TRACE(name);
    std::vector<Array> inputs;
    for (const Json& input : tested.at("inputs")) inputs.push_back(to_array(input));
    Outcome expected{to_array(tested.at("result")), {}};
    for (const Json& gradient : tested.at("gradients")) {
      expected.gradients.push_back(to_array(gradient));
    }
    expect_outcome(builders().at(name), inputs, to_array(tested.at("upstream")), expected);
  }
}

TEST(PyTorch, GivesTheSameSoftmaxAlongEveryAxis) {
  const Json& cases = pytorch_numbers("softmax").at("cases");
  ASSERT_FALSE(cases.empty());
  for (const Json& tested : cases) {
    const Array input = to_array(tested.at("input"));
    ASSERT_EQ(tested.at("outcomes").size(), 2U * static_cast<std::size_t>(input.shape.rank()));
    for (const Json& outcome : tested.at("outcomes")) {
      const bool logarithm = outcome.at("op") == "log_softmax";
      const int axis = outcome.at("axis");
      SCOPED_TRACE(cat(logarithm ? "log_softmax " : "softmax ", input.shape, " along ", axis,
                       ", first element ", input[0]));
      const Builder build = [&](std::span<const Value> x) {
        return logarithm ? log_softmax(x[0], axis) : softmax(x[0], axis);
      };
      // The gradients are differences of numbers below 3.
      const Bounds f32{.gradients = {.absolute = 2e-7}};
      expect_outcome(build, {input}, to_array(tested.at("upstream")),
                     {to_array(outcome.at("result"), input.shape),
                      {to_array(outcome.at("gradient"), input.shape)}},
                     f32);
    }
  }
}

}  // namespace
}  // namespace gradmill
