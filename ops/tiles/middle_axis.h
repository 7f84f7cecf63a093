#pragma once

// How ops that work along one axis share out what lies beside it.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <gradmill/ops/tiles/divide_up.h>
#include <gradmill/runtime/shape.h>

namespace gradmill {

/// A shape seen as [outer, n, inner] around one axis, cut into tiles by the shape alone. A line is
/// the n elements of one (outer, inner) pair, `inner` apart. A unit is a block of lines side by
/// side; a tile is as many units as make about kElements elements, whole vectors of them where they
/// are many.
struct MiddleAxis {
  static constexpr std::int64_t kElements = 16384;
  static constexpr std::int64_t kColumns = 256;  ///< lines per unit, at most
  static constexpr std::int64_t kUnits = 64;     ///< a multiple of every vector's lanes

  MiddleAxis(const Shape& shape, int axis) : n(shape[axis]) {
    for (int k = 0; k < axis; ++k) outer *= shape[k];
    inner = shape.elements() / outer / n;
    columns = std::min(inner, kColumns);
    blocks = divide_up(inner, columns);
    units_per_tile = std::max<std::int64_t>(1, kElements / (n * columns));
    if (units_per_tile > kUnits) units_per_tile -= units_per_tile % kUnits;
  }

  std::int64_t lines() const { return outer * inner; }
  std::int64_t units() const { return outer * blocks; }
  std::int64_t tiles() const { return divide_up(units(), units_per_tile); }

  struct Unit {
    std::int64_t element;  ///< of the whole tensor, where its first line starts
    std::int64_t line;     ///< its first line, counted over (outer, inner)
    std::int64_t columns;  ///< its lines
  };
  /// Calls body(unit) for each unit of a tile.
  template <class Body>
  void for_units(std::int64_t tile, Body body) const {
    const std::int64_t first = tile * units_per_tile;
    const std::int64_t last = std::min(units(), first + units_per_tile);
    std::int64_t row = first / blocks;
    std::int64_t block = first % blocks;
    for (std::int64_t index = first; index < last; ++index) {
      const std::int64_t column = block * columns;
      body(Unit{row * n * inner + column, row * inner + column, std::min(columns, inner - column)});
      if (++block < blocks) continue;
      block = 0;
      ++row;
    }
  }

  std::int64_t outer = 1;
  std::int64_t n;
  std::int64_t inner = 1;
  std::int64_t columns = 1;
  std::int64_t blocks = 1;
  std::int64_t units_per_tile = 1;
};

}  // namespace gradmill
