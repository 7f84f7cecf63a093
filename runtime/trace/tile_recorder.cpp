#include <gradmill/runtime/trace/tile_recorder.h>

#include <algorithm>
#include <tuple>

namespace gradmill {

TileRecorder::TileRecorder(int lanes, std::size_t tiles) : lanes_(static_cast<std::size_t>(lanes)) {
  for (Lane& lane : lanes_) lane.tiles = std::make_unique_for_overwrite<TracedTile[]>(tiles);
}

std::vector<TracedTile> TileRecorder::take() {
  std::vector<TracedTile> all;
  for (Lane& lane : lanes_) {
    const std::size_t used = lane.used.load(std::memory_order_acquire);
    all.insert(all.end(), lane.tiles.get(), lane.tiles.get() + used);
    lane.used.store(0, std::memory_order_release);
  }
  std::ranges::sort(all, {}, [](const TracedTile& tile) {
    return std::tuple(tile.begin_ns, tile.end_ns, tile.lane);
  });
  return all;
}

}  // namespace gradmill
