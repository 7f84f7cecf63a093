#pragma once

// Reductions as kernels.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// How blocks are reduced, as in reduce/loops.h.
template <class T>
struct ReduceLoops {
  T (*row)(const T* x, std::int64_t n);
  void (*columns)(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t columns, T* y);
};

/// A reduction as an object. That of the results of blocks must be the result.
struct ReduceFunction {
  std::string_view name;
  ReduceLoops<float> f32;
  ReduceLoops<double> f64;
  bool divides = false;  ///< at the end, by the number of elements
};

/// Reduces an input of type `type` over the axes whose place in `mask` is true. Fixed blocks are
/// reduced each on its own, and their results again.
std::unique_ptr<Kernel> make_reduce_kernel(const ReduceFunction& function, const Type& type,
                                           const std::vector<bool>& mask);

}  // namespace gradmill
