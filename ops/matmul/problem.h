#pragma once

// A batch of matrix products as plain data, and a part of one of them.

#include <cstdint>
#include <vector>

#include <gradmill/runtime/dtype.h>

namespace gradmill {

/// One axis of a batch of products: how many matrices further its next place is in each operand, 0
/// where the operand lacks the axis and serves every place. C sums over the axes that it lacks.
struct BatchAxis {
  std::int64_t size = 1;
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int64_t c = 0;
  friend bool operator==(const BatchAxis&, const BatchAxis&) = default;
};

/// C [m, n] = op(A) [m, k] op(B) [k, n] for each place of C in the batch; a transposed operand is
/// stored the other way round. All dense, the batch in row-major order in front of the matrices.
struct Gemm {
  DType dtype = DType::f32;
  std::int64_t m = 1;
  std::int64_t n = 1;
  std::int64_t k = 1;
  bool transpose_a = false;
  bool transpose_b = false;
  std::vector<BatchAxis> batch = {};  ///< outermost first
};

/// A tile of C, and the part [k, k + depth) of its sum.
struct GemmTile {
  std::int64_t row = 0;
  std::int64_t column = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t k = 0;
  std::int64_t depth = 0;
};

}  // namespace gradmill
