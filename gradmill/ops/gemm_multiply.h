#pragma once

// Internal: one tile of a matrix product on one thread; oneDNN's for f32, Eigen's for f64.

#include <cstddef>
#include <cstdint>

#include <gradmill/ops/gemm_problem.h>

namespace gradmill {

/// A tile of C, and the part [k, k + depth) of its sum.
struct GemmTile {
  std::int64_t row = 0;
  std::int64_t column = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t k = 0;
  std::int64_t depth = 0;
};

/// C = A B on the tile, or C += A B where `add` is set. `a` and `b` are the whole matrices, `c` is
/// the tile's first element, and `c_stride` is from one of its rows to the next. With `packed`, the
/// tile's part of B is laid out there first. Throws Failure when memory is short.
void multiply(const Gemm& gemm, const GemmTile& tile, const float* a, const float* b, bool add,
              float* c, std::int64_t c_stride, float* packed);
void multiply(const Gemm& gemm, const GemmTile& tile, const double* a, const double* b, bool add,
              double* c, std::int64_t c_stride, double* packed);

/// The elements that `packed` must have.
std::int64_t packed_elements(std::int64_t columns, std::int64_t depth);

}  // namespace gradmill
