#pragma once

// How many parts of one size hold another.

#include <cstdint>

namespace gradmill {

/// a / b, rounded up.
constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace gradmill
