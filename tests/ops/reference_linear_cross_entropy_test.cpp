// torch.nn.functional.cross_entropy of torch.nn.functional.linear.

#include <gtest/gtest.h>

#include <map>

#include "support/reference.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;

const std::map<std::string, Reduction> kReductions = {
    {"none", Reduction::none}, {"mean", Reduction::mean}, {"sum", Reduction::sum}};

TEST(PyTorch, GivesTheSameCrossEntropyOfALinearLayer) {
  const Json& cases = pytorch_numbers("linear_cross_entropy").at("cases");
  ASSERT_EQ(cases.size(), 2U);
  for (const Json& shared : cases) {
    const Json& outcomes = shared.at("outcomes");
    ASSERT_EQ(outcomes.size(), 3U * 2 * 2 * 2);
    for (const Json& tested : outcomes) {
      const std::string reduction = tested.at("reduction");
      const bool biased = tested.at("bias");
      const bool ignored = tested.at("ignored");
      const double smoothing = tested.at("label_smoothing");
      std::vector<Array> inputs = {to_array(shared.at("x")), to_array(shared.at("weight"))};
      if (biased) inputs.push_back(to_array(shared.at("bias")));
      SCOPED_TRACE(cat(inputs[0].shape, ", reduction ", reduction, biased ? ", bias" : "",
                       ignored ? ", ignored" : "", ", label_smoothing ", smoothing));
      const Shape rows(shared.at("rows").get<std::vector<std::int64_t>>());
      const auto labels =
          shared.at(ignored ? "labels_with_holes" : "labels").get<std::vector<std::int64_t>>();
      const Builder build = [&](std::span<const Value> x) {
        return linear_cross_entropy(
            x[0], x[1], x[0].graph().constant(std::span<const std::int64_t>(labels), rows),
            {.bias = biased ? x[2] : Value(),
             .reduction = kReductions.at(reduction),
             .label_smoothing = smoothing});
      };
      const Array upstream =
          to_array(shared.at(reduction == "none" ? "upstream_of_rows" : "upstream_of_scalar"));
      Outcome expected{to_array(tested.at("result"), upstream.shape), {}};
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        expected.gradients.push_back(to_array(tested.at("gradients").at(i), inputs[i].shape));
      }
      // Gradients are sums of differences; each term is exact to a few 1e-7.
      expect_outcome(build, inputs, upstream, expected, {.gradients = {.absolute = 2e-5}});
    }
  }
}

}  // namespace
}  // namespace gradmill
