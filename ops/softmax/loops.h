#pragma once

// The vector loops of softmax and its relatives.

#include <cstdint>
#include <string_view>

namespace gradmill {

/// Forward functions read `x` alone; backward ones read the forward result as `x` and its upstream
/// as `dy`. Each of the columns c < columns is one softmax over n elements, `stride` apart:
/// x[c + i * stride]. With stride 1 there is one column. `y` may be `x` or `dy`. `scratch` has
/// kSoftmaxScratch * columns elements.
template <class T>
using SoftmaxLoop = void (*)(const T* x, const T* dy, T* y, std::int64_t n, std::int64_t stride,
                             std::int64_t columns, T* scratch);

inline constexpr std::int64_t kSoftmaxScratch = 4;

struct SoftmaxLoops {
  SoftmaxLoop<float> f32;
  SoftmaxLoop<double> f64;
};

/// One of them as an object.
struct SoftmaxFunction {
  std::string_view name;
  SoftmaxLoops (*loops)();  ///< those of the processor's instruction set
  bool backward;

  void operator()(const float* x, const float* dy, float* y, std::int64_t n, std::int64_t stride,
                  std::int64_t columns, float* scratch) const {
    loops().f32(x, dy, y, n, stride, columns, scratch);
  }
  void operator()(const double* x, const double* dy, double* y, std::int64_t n, std::int64_t stride,
                  std::int64_t columns, double* scratch) const {
    loops().f64(x, dy, y, n, stride, columns, scratch);
  }
};

extern const SoftmaxFunction kSoftmax;
extern const SoftmaxFunction kLogSoftmax;
extern const SoftmaxFunction kSoftmaxBackward;
extern const SoftmaxFunction kLogSoftmaxBackward;

}  // namespace gradmill
