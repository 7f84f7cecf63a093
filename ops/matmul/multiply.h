#pragma once

// One tile of a matrix product on one thread; oneDNN's for f32, Eigen's for f64.

#include <cstdint>
#include <string_view>

#include <gradmill/ops/matmul/problem.h>

namespace gradmill {

/// Where a tile packs its part of an operand before it reads it; null: it is read where it is.
template <class T>
struct PackedOperands {
  T* a = nullptr;  ///< of a transposed A only
  T* b = nullptr;
};

/// C = A B on the tile, or C += A B where `add` is set. `a` and `b` are the whole matrices, `c` is
/// the tile's first element, and `c_stride` is from one of its rows to the next. Throws Failure
/// when memory is short.
void multiply(const Gemm& gemm, const GemmTile& tile, const float* a, const float* b, bool add,
              float* c, std::int64_t c_stride, const PackedOperands<float>& packed);
void multiply(const Gemm& gemm, const GemmTile& tile, const double* a, const double* b, bool add,
              double* c, std::int64_t c_stride, const PackedOperands<double>& packed);

/// What computes the products of an element's type.
inline std::string_view multiply_name(float) { return "dnnl_sgemm"; }
inline std::string_view multiply_name(double) { return "eigen"; }

/// Whether `dnnl_sgemm` brings its operands into blocks of its own before it multiplies them, so
/// that it matters less how they lie: with AVX-512. With less it reads tiles where they are.
bool multiply_copies();

/// From one row to the next where rows of `columns` elements are packed.
std::int64_t packed_stride(std::int64_t columns);

/// The elements that a packed operand of so many rows or columns needs, `depth` being the sum's.
std::int64_t packed_elements(std::int64_t columns, std::int64_t depth);

}  // namespace gradmill
