#include <gradmill/profile/run_path.h>

#include <algorithm>
#include <cstddef>

namespace gradmill {

std::vector<PathStep> run_path(const Plan& plan, const TracedRun& run) {
  struct Span {
    std::int64_t begin = -1;
    std::int64_t end = -1;
  };
  std::vector<Span> spans(plan.steps.size());
  int last = -1;
  for (const TracedTile& tile : run.tiles) {
    Span& span = spans[static_cast<std::size_t>(tile.step)];
    if (span.begin < 0) span.begin = tile.begin_ns;
    span.end = std::max(span.end, tile.end_ns);
    if (last < 0 || span.end > spans[static_cast<std::size_t>(last)].end) last = tile.step;
  }
  std::vector<PathStep> path;
  while (last >= 0) {
    const Span& span = spans[static_cast<std::size_t>(last)];
    int before = -1;
    std::int64_t ready = run.begin_ns;
    for (const int p : plan.steps[static_cast<std::size_t>(last)].predecessors) {
      const std::int64_t end = spans[static_cast<std::size_t>(p)].end;
      if (end < 0 || (before >= 0 && end <= ready)) continue;
      before = p;
      ready = end;
    }
    path.push_back({.step = last,
                    .begin_ns = span.begin - run.begin_ns,
                    .ns = span.end - span.begin,
                    .wait_ns = span.begin - ready});
    last = before;
  }
  std::ranges::reverse(path);
  return path;
}

}  // namespace gradmill
