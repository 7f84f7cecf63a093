// torch.nn.functional's gelu, silu, layer_norm and rms_norm with every combination of options.

#include <gtest/gtest.h>

#include <map>

#include "support/reference.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;

void expect_case(const Json& tested, const Builder& build, Bounds f32) {
  std::vector<Array> inputs;
  for (const Json& input : tested.at("inputs")) inputs.push_back(to_array(input));
  Outcome expected{to_array(tested.at("result")), {}};
  for (const Json& gradient : tested.at("gradients")) {
    expected.gradients.push_back(to_array(gradient));
  }
  expect_outcome(build, inputs, to_array(tested.at("upstream")), expected, f32);
}

TEST(PyTorch, GivesTheSameGeluAndSilu) {
  const std::map<std::string, Builder> builders = {
      {"gelu", [](std::span<const Value> x) { return gelu(x[0]); }},
      {"gelu_tanh", [](std::span<const Value> x) { return gelu(x[0], Approximate::tanh); }},
      {"silu", [](std::span<const Value> x) { return silu(x[0]); }},
  };
  const Json& cases = pytorch_numbers("norm").at("activations");
  ASSERT_EQ(cases.size(), 9U);
  for (const Json& tested : cases) {
    const std::string op = tested.at("op");
    SCOPED_TRACE(op);
    // PyTorch's 1 + erf and 1 + tanh have lost the digits of what is tiny.
    const Bound bound{.absolute = 5e-7};
    expect_case(tested, builders.at(op), {.result = bound, .gradients = bound});
  }
}

TEST(PyTorch, GivesTheSameLayerNormAndRmsNorm) {
  const Json& cases = pytorch_numbers("norm").at("norms");
  // Without weight and bias, with one and with both; for rms_norm without and with weight.
  ASSERT_EQ(cases.size(), (6U * 2 - 1) * (4 + 2));
  for (const Json& tested : cases) {
    const bool centered = tested.at("op") == "layer_norm";
    const bool weighted = tested.at("weighted");
    const bool biased = tested.at("biased");
    const Json& eps = tested.at("eps");
    const Array x = to_array(tested.at("inputs").at(0));
    const std::vector<std::int64_t> sizes = x.shape.sizes();
    const std::vector<std::int64_t> normalized(sizes.end() - tested.at("axes").get<int>(),
                                               sizes.end());
    SCOPED_TRACE(cat(centered ? "layer_norm " : "rms_norm ", x.shape, " over ", normalized.size(),
                     " axes, eps ", eps.dump(), weighted ? ", weight" : "",
                     biased ? ", bias" : ""));
    const Builder build = [&](std::span<const Value> inputs) {
      const Value weight = weighted ? inputs[1] : Value();
      if (!centered) {
        RmsNormOptions options{.weight = weight};
        if (eps.is_number()) options.eps = eps.get<double>();
        // By default it is that of the dtype, and here of f64.
        if (eps.is_null()) options.eps = std::numeric_limits<double>::epsilon();
        return rms_norm(inputs[0], normalized, options);
      }
      LayerNormOptions options{.weight = weight, .bias = biased ? inputs.back() : Value()};
      if (eps.is_number()) options.eps = eps.get<double>();
      return layer_norm(inputs[0], normalized, options);
    };
    // Sums that cancel.
    expect_case(tested, build, {.result = {.absolute = 2e-6}, .gradients = {.absolute = 1e-5}});
  }
}

}  // namespace
}  // namespace gradmill
