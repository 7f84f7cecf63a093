#pragma once

// Packing a part of a matrix so that a product reads it in straight lines.

#include <cstdint>

namespace gradmill {

/// to[k * width + j] = from[j * stride_j + k * stride_k] for j < columns and k < depth. One of the
/// two strides is 1.
void pack_rows(const float* from, std::int64_t stride_j, std::int64_t stride_k,
               std::int64_t columns, std::int64_t depth, float* to, std::int64_t width);

}  // namespace gradmill
