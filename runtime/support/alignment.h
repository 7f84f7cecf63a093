#pragma once

// Internal: not installed.

#include <cstddef>

namespace gradmill {

/// Where buffers of a plan begin: at cache lines, so that no two share one.
inline constexpr std::size_t kBufferAlignment = 64;

/// `bytes`, rounded up to the next beginning.
constexpr std::size_t align_up(std::size_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

}  // namespace gradmill
