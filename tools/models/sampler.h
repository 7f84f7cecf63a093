#pragma once

#include <cstdint>
#include <span>

#include <gradmill/runtime/support/random.h>

namespace gradmill {

struct SamplerOptions {
  double temperature = 1;  ///< 0 takes the largest logit
  std::int64_t top_k = 0;  ///< only this many largest logits may be drawn; 0 for all
  std::uint64_t seed = 0;
};

/// Draws tokens i with probability proportional to exp(logit_i / temperature).
class Sampler {
 public:
  /// Throws Error for a temperature or top_k below 0, or a temperature that is not finite.
  explicit Sampler(const SamplerOptions& options);

  /// The token of draw `index`, a function of seed, index and logits only. Of equal logits the
  /// first counts as the largest. Throws Error for no logits, Failure when one is NaN or infinite.
  std::int64_t sample(std::span<const float> logits, std::uint64_t index) const;

 private:
  double temperature_;
  std::int64_t top_k_;
  Philox random_;
};

}  // namespace gradmill
