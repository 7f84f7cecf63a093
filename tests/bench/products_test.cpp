// What the measured steps consist of: their products, counted by the formulas of papers rather than
// layer by layer, and data that fits.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "models/gpt.h"
#include "workloads/specs.h"
#include "workloads/workload.h"

namespace gradmill::bench {
namespace {

TEST(WorkloadNames, LeaveOutSecondsAStepUnlessNamed) {
  std::vector<std::string> left_out;
  const std::vector<std::string> without = default_workload_names();
  for (const std::string& name : workload_names()) {
    if (std::ranges::find(without, name) == without.end()) left_out.push_back(name);
  }
  EXPECT_EQ(left_out,
            (std::vector<std::string>{"gpt2-124m", "linear_cross_entropy-1024x768x50257"}));
}

TEST(AttentionProducts, AreTwoForwardAndFourBackwardOfHalfTheKeys) {
  double flops = 0;
  for (const Product& product : attention_products(8, 1024, 64)) {
    flops += product.count * product.flops();
  }
  EXPECT_EQ(flops, 6 * 8 * (2.0 * 1024 * 1024 * 64) / 2);
}

TEST(AttentionProducts, OfAnOddLengthSeeTheMeanOfTheKeys) {
  for (const Product& product : attention_products(1, 5, 7, 3)) {
    EXPECT_EQ(product.count, 6);
    EXPECT_EQ(product.flops(), 2.0 * (1 + 2 + 3 + 4 + 5) * 7);
  }
}

TEST(LinearCrossEntropyWorkload, HasThreeProducts) {
  const auto workload = make_workload("linear_cross_entropy-1024x768x50257", 1);
  EXPECT_EQ(product_flops(*workload), 3 * 2.0 * 1024 * 768 * 50257);
}

class GptWorkload : public testing::TestWithParam<const char*> {
 protected:
  static Spec spec() {
    const std::vector<Spec> all = specs();
    return *std::ranges::find(all, GetParam(), &Spec::name);
  }
};

TEST_P(GptWorkload, HasTheParametersOfTheModelOfItsName) {
  const auto workload = make_workload(GetParam(), 1);
  std::map<std::string, Shape> expected;
  for (const GptParameter& parameter : gpt_parameters(gpt_config(GetParam()))) {
    expected.emplace(parameter.name, Shape(parameter.sizes));
  }
  std::map<std::string, Shape> actual;
  for (const Node& node : workload->graph.nodes()) {
    if (node.kind == NodeKind::parameter) actual.emplace(node.name, node.outputs[0].shape);
  }
  EXPECT_EQ(actual, expected);
}

/// 6 operations a token and weight that multiplies, and attention's share of the keys: 12 L W T a
/// token forward and backward without a mask.
TEST_P(GptWorkload, HasSixOperationsAWeightAndTokenAndAttention) {
  const auto workload = make_workload(GetParam(), 1);
  const GptConfig config = gpt_config(GetParam());
  const auto length = static_cast<double>(spec().gpt.length);
  double weights = config.tied ? static_cast<double>(config.vocab * config.width) : 0;
  for (const GptParameter& parameter : gpt_parameters(config)) {
    const bool table = parameter.name == "wte.weight" || parameter.name == "wpe.weight";
    if (parameter.sizes.size() < 2 || table) continue;
    weights += static_cast<double>(Shape(parameter.sizes).elements());
  }
  const double tokens = static_cast<double>(spec().rows) * length;
  const double attention = 12.0 * static_cast<double>(config.layers * config.width) * length / 2;
  EXPECT_EQ(product_flops(*workload), tokens * (6 * weights + attention));
}

TEST_P(GptWorkload, IsFedTokensOfItsVocabulary) {
  const auto workload = make_workload(GetParam());
  EXPECT_EQ(workload->batches.size(), 8U);
  const std::int64_t vocab = spec().gpt.vocab;
  std::int64_t largest = 0;
  for (const auto& data : workload->data) {
    const auto& tokens = std::get<std::vector<std::int64_t>>(data);
    EXPECT_EQ(static_cast<std::int64_t>(tokens.size()), spec().rows * spec().gpt.length);
    for (const std::int64_t token : tokens) {
      ASSERT_TRUE(token >= 0 && token < vocab) << token;
      largest = std::max(largest, token);
    }
  }
  EXPECT_GT(largest, vocab * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(Gpts, GptWorkload, testing::Values("gpt-char", "gpt-mini", "gpt2-124m"),
                         [](const testing::TestParamInfo<const char*>& parameter) {
                           std::string name = parameter.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gradmill::bench
