#include "models/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/error_of.h"

namespace gradmill {
namespace {

constexpr int kDraws = 20000;

std::vector<double> frequencies(const SamplerOptions& options, const std::vector<float>& logits) {
  const Sampler sampler(options);
  std::vector<double> seen(logits.size());
  for (int i = 0; i < kDraws; ++i) {
    seen[static_cast<std::size_t>(sampler.sample(logits, static_cast<std::uint64_t>(i)))] += 1;
  }
  for (double& count : seen) count /= kDraws;
  return seen;
}

/// Of exp(logit / temperature), as far as `allowed`.
std::vector<double> shares(const std::vector<float>& logits, double temperature,
                           const std::vector<bool>& allowed) {
  std::vector<double> share(logits.size());
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    share[i] = allowed[i] ? std::exp(double{logits[i]} / temperature) : 0;
    sum += share[i];
  }
  for (double& x : share) x /= sum;
  return share;
}

void expect_near(const std::vector<double>& seen, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < seen.size(); ++i) {
    // Five standard deviations.
    const double bound = 5 * std::sqrt(expected[i] * (1 - expected[i]) / kDraws);
    EXPECT_NEAR(seen[i], expected[i], bound) << "token " << i;
  }
}

TEST(Sampler, DrawsBySoftmax) {
  const std::vector<float> logits = {0.5F, -1.0F, 2.0F, 0.0F, 2.0F};
  const std::vector<bool> all(5, true);
  expect_near(frequencies({.seed = 1}, logits), shares(logits, 1, all));
  expect_near(frequencies({.temperature = 0.5, .seed = 2}, logits), shares(logits, 0.5, all));
  expect_near(frequencies({.temperature = 3, .seed = 3}, logits), shares(logits, 3, all));
}

TEST(Sampler, TakesTheLargestOnly) {
  const std::vector<float> logits = {0.5F, -1.0F, 2.0F, 0.0F, 2.0F, 0.5F};
  expect_near(frequencies({.top_k = 3, .seed = 1}, logits),
              shares(logits, 1, {true, false, true, false, true, false}));
  EXPECT_EQ(frequencies({.top_k = 1}, logits)[2], 1);
  expect_near(frequencies({.top_k = 100, .seed = 1}, logits),
              shares(logits, 1, std::vector<bool>(6, true)));
}

TEST(Sampler, IsGreedyAtZero) {
  const Sampler sampler({.temperature = 0, .seed = 7});
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 3, 2}, 0), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-1e38F, 1e38F}, 5), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{4}, 5), 0);
}

TEST(Sampler, FollowsSeedAndIndex) {
  const std::vector<float> logits(100, 0.0F);
  const auto draw = [&](std::uint64_t seed) {
    const Sampler sampler({.seed = seed});
    std::vector<std::int64_t> tokens;
    for (std::uint64_t i = 0; i < 20; ++i) tokens.push_back(sampler.sample(logits, i));
    return tokens;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
  EXPECT_NE(draw(1)[0], draw(1)[1]);
}

TEST(Sampler, TakesExtremes) {
  const std::vector<float> logits = {3e38F, -3e38F, 0};
  for (const double temperature : {1e-300, 1.0, 1e300}) {
    const std::int64_t token = Sampler({.temperature = temperature}).sample(logits, 0);
    EXPECT_TRUE(token >= 0 && token < 3);
    EXPECT_TRUE(token == 0 || temperature > 1);
  }
}

TEST(Sampler, Refuses) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(error_of([] { Sampler({.temperature = -1}); }),
            "the temperature must be at least 0 and finite, got -1");
  EXPECT_NE(error_of([] { Sampler({.temperature = kInfinity}); }).find("finite"),
            std::string::npos);
  EXPECT_NE(error_of([] { Sampler({.temperature = std::nan("")}); }).find("finite"),
            std::string::npos);
  EXPECT_EQ(error_of([] { Sampler({.top_k = -1}); }), "top_k must be at least 0, got -1");
  const Sampler sampler({});
  EXPECT_EQ(error_of([&] { sampler.sample({}, 0); }), "no logits to sample from");
  const std::vector<float> bad = {0, std::nanf(""), 0};
  EXPECT_EQ(error_of<Failure>([&] { sampler.sample(bad, 0); }), "the logit of token 1 is nan");
}

}  // namespace
}  // namespace gradmill
