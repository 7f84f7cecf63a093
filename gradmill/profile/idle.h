#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <gradmill/runtime/trace.h>

namespace gradmill {

/// What a worker did, or why it did nothing.
enum class Spent : std::uint8_t {
  busy,            ///< it ran a tile
  dispatch,        ///< a tile was ready, and nobody had taken it yet
  nothing_ready,   ///< all that was left waited for what ran, several steps of one tile each
  serial_section,  ///< all that was left waited for one step of a single tile
  too_few_tiles,   ///< what ran has fewer tiles than there are workers
  uneven_tiles,    ///< what ran has tiles enough, but the last of them ended late
};
inline constexpr std::size_t kSpentKinds = 6;

/// "nothing_ready".
GRADMILL_API std::string_view to_string(Spent spent);

/// Nanoseconds of all workers together, from the begin to the end of every run that succeeded, by
/// what they were spent on.
GRADMILL_API std::array<double, kSpentKinds> time_spent(const Trace& trace);

}  // namespace gradmill
