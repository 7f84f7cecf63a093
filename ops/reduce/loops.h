#pragma once

// The vector loops of the reductions.

#include <cstdint>

namespace gradmill {

/// The sum, or the largest, of n contiguous elements, n >= 1.
float sum_row(const float* x, std::int64_t n);
double sum_row(const double* x, std::int64_t n);
float max_row(const float* x, std::int64_t n);
double max_row(const double* x, std::int64_t n);

/// y[c] = the sum, or the largest, over r < rows of x[r * stride + c], for c < columns; rows >= 1.
void sum_columns(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                 float* y);
void sum_columns(const double* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                 double* y);
void max_columns(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                 float* y);
void max_columns(const double* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                 double* y);

}  // namespace gradmill
