#pragma once

// Internal: the vector loops of softmax and its relatives.

#include <cstdint>

namespace gradmill {

inline constexpr std::int64_t kSoftmaxScratch = 4;

enum class SoftmaxKind : std::uint8_t {
  softmax,
  log_softmax,
  softmax_backward,
  log_softmax_backward
};

/// Forward kinds read `x` alone; backward ones read the forward result as `x` and its upstream as
/// `dy`. Each of the columns c < columns is one softmax over n elements, `stride` apart:
/// x[c + i * stride]. With stride 1 there is one column. `y` may be `x` or `dy`. `scratch` has
/// kSoftmaxScratch * columns elements.
void apply_softmax(SoftmaxKind kind, const float* x, const float* dy, float* y, std::int64_t n,
                   std::int64_t stride, std::int64_t columns, float* scratch);
void apply_softmax(SoftmaxKind kind, const double* x, const double* dy, double* y, std::int64_t n,
                   std::int64_t stride, std::int64_t columns, double* scratch);

}  // namespace gradmill
