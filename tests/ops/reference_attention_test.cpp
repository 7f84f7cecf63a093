// Attention of separate tensors, with and without masks, and of packed ones.

#include <gtest/gtest.h>

#include <optional>

#include "support/reference.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;

// Products of numbers up to 4, and sums that cancel.
constexpr Bound kSums{.absolute = 1e-5};

std::optional<double> scale_of(const Json& tested) {
  if (tested.at("scale").is_null()) return std::nullopt;
  return tested.at("scale").get<double>();
}

void expect_pytorch(const Builder& build, const Json& tested) {
  std::vector<Array> inputs;
  std::vector<Array> gradients;
  for (const Json& input : tested.at("inputs")) inputs.push_back(to_array(input));
  for (const Json& gradient : tested.at("gradients")) gradients.push_back(to_array(gradient));
  SCOPED_TRACE(cat("attention of ", inputs[0].shape));
  expect_outcome(build, inputs, to_array(tested.at("upstream")),
                 {to_array(tested.at("result")), gradients}, {kSums, kSums});
}

TEST(PyTorch, GivesTheSameAttention) {
  const Json& cases = pytorch_numbers("attention").at("separate");
  ASSERT_FALSE(cases.empty());
  for (const Json& tested : cases) {
    const auto build = [&](std::span<const Value> x) {
      AttentionOptions options{.is_causal = tested.at("causal"), .scale = scale_of(tested)};
      if (!tested.at("mask").is_null()) {
        options.attn_mask = constant(x[0].graph(), to_array(tested.at("mask")), x[0].dtype());
      }
      return scaled_dot_product_attention(x[0], x[1], x[2], options);
    };
    expect_pytorch(build, tested);
  }
}

TEST(PyTorch, GivesTheSameSelfAttention) {
  const Json& cases = pytorch_numbers("attention").at("packed");
  ASSERT_FALSE(cases.empty());
  for (const Json& tested : cases) {
    const auto build = [&](std::span<const Value> x) {
      return self_attention(x[0], tested.at("heads"),
                            {.is_causal = tested.at("causal"), .scale = scale_of(tested)});
    };
    expect_pytorch(build, tested);
  }
}

}  // namespace
}  // namespace gradmill
