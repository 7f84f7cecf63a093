#pragma once

#include <cstddef>

namespace gradmill {

/// Buffers of a plan start at multiples of this, a cache line, so that no two share one.
inline constexpr std::size_t kBufferAlignment = 64;

/// `bytes`, rounded up to a multiple of it.
constexpr std::size_t align_up(std::size_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

}  // namespace gradmill
