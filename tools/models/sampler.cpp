#include "models/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::uint64_t kSampleStream = 0x73616d70'6c650000;

/// The tokens that may be drawn; if these are not all, the most likely first.
std::vector<std::size_t> candidates(std::span<const float> logits, std::int64_t top_k) {
  std::vector<std::size_t> tokens(logits.size());
  std::iota(tokens.begin(), tokens.end(), std::size_t{0});
  if (top_k == 0 || static_cast<std::size_t>(top_k) >= tokens.size()) return tokens;
  const auto larger = [&](std::size_t a, std::size_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  std::ranges::partial_sort(tokens, tokens.begin() + top_k, larger);
  tokens.resize(static_cast<std::size_t>(top_k));
  return tokens;
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options)
    : temperature_(options.temperature),
      top_k_(options.top_k),
      random_(options.seed, kSampleStream) {
  check(std::isfinite(temperature_) && temperature_ >= 0,
        "the temperature must be at least 0 and finite, got ", temperature_);
  check(top_k_ >= 0, "top_k must be at least 0, got ", top_k_);
}

std::int64_t Sampler::sample(std::span<const float> logits, std::uint64_t index) const {
  check(!logits.empty(), "no logits to sample from");
  const auto wrong = std::ranges::find_if_not(logits, [](float x) { return std::isfinite(x); });
  if (wrong != logits.end()) {
    throw Failure(cat("the logit of token ", wrong - logits.begin(), " is ", *wrong));
  }
  const auto largest = std::ranges::max_element(logits);
  if (temperature_ == 0) return largest - logits.begin();

  const std::vector<std::size_t> tokens = candidates(logits, top_k_);
  // Differences to the largest logit, so nothing overflows and the sum is at least 1.
  std::vector<double> sums;
  double sum = 0;
  for (const std::size_t token : tokens) {
    sum += std::exp((double{logits[token]} - double{*largest}) / temperature_);
    sums.push_back(sum);
  }
  const double drawn = random_.uniform(index) * sum;
  auto chosen = static_cast<std::size_t>(std::ranges::upper_bound(sums, drawn) - sums.begin());
  // The product may round up to the sum; then it is the last token with a probability above 0.
  if (chosen == sums.size()) {
    chosen = static_cast<std::size_t>(std::ranges::lower_bound(sums, sum) - sums.begin());
  }
  return static_cast<std::int64_t>(tokens[chosen]);
}

}  // namespace gradmill
