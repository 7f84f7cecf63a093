#pragma once

// Internal: the vector loops of the reductions.

#include <cstdint>

namespace gradmill {

enum class Reduction : std::uint8_t { sum, max };

/// The reduction of n contiguous elements, n >= 1.
float reduce_row(Reduction kind, const float* x, std::int64_t n);
double reduce_row(Reduction kind, const double* x, std::int64_t n);

/// y[c] = the reduction over r < rows of x[r * stride + c], for c < columns; rows >= 1.
void reduce_columns(Reduction kind, const float* x, std::int64_t stride, std::int64_t rows,
                    std::int64_t columns, float* y);
void reduce_columns(Reduction kind, const double* x, std::int64_t stride, std::int64_t rows,
                    std::int64_t columns, double* y);

}  // namespace gradmill
