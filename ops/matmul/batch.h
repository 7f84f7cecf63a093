#pragma once

// How the batch axes of a matrix product become the work of its kernel.

#include <cstdint>
#include <vector>

#include <gradmill/ops/matmul/problem.h>
#include <gradmill/runtime/shape.h>

namespace gradmill {

/// The batch axes of C += A B, aligned at the last: each of the three shapes has an axis's size, or
/// lacks it (size 1, or too short). Axes of size 1 are left out, and neighbours that all three
/// store alike are one axis.
std::vector<BatchAxis> batch_axes(const Shape& a, const Shape& b, const Shape& c);

/// The same products with as many batch axes as possible taken into the matrices:
///   into M, where A and C stack their rows along the axis and B is shared:  x [B, T, in] times W;
///   into K, where A^T and B stack theirs and C sums over it:  dW = sum_b x_b^T dy_b.
Gemm folded(Gemm gemm);

/// Some axes of a batch, walked in row-major order.
class BatchWalk {
 public:
  explicit BatchWalk(std::vector<BatchAxis> axes);

  /// The number of places.
  std::int64_t size() const { return size_; }

  struct Place {
    std::int64_t a = 0;  ///< matrices from the start of A
    std::int64_t b = 0;
  };
  Place at(std::int64_t index) const;

 private:
  std::vector<BatchAxis> axes_;  // innermost first
  std::int64_t size_ = 1;
};

}  // namespace gradmill
