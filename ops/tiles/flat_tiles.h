#pragma once

// Tiles of what is worked through from one end to the other.

#include <algorithm>
#include <cstdint>

#include <gradmill/ops/tiles/divide_up.h>

namespace gradmill {

/// How the elements of an n-element result are shared out, by `n` and `grain` only: tile t has
/// [t * grain, min(n, (t + 1) * grain)).
struct FlatTiles {
  std::int64_t n;
  std::int64_t grain;
  std::int64_t count() const { return divide_up(n, grain); }
  std::int64_t begin(std::int64_t tile) const { return tile * grain; }
  std::int64_t end(std::int64_t tile) const { return std::min(n, (tile + 1) * grain); }
};

/// Elements per tile of a pass that is bound by memory.
inline constexpr std::int64_t kFlatGrain = 32768;

}  // namespace gradmill
