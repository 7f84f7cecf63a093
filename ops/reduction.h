#pragma once

#include <cstdint>

namespace gradmill {

/// How a loss over many rows becomes the result: one number per row, their mean, or their sum.
enum class Reduction : std::uint8_t { none, mean, sum };

}  // namespace gradmill
