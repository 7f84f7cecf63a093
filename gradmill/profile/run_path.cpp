#include <gradmill/profile/run_path.h>

#include <algorithm>
#include <cstddef>

namespace gradmill {

namespace {

struct Span {
  std::int64_t begin = -1;
  std::int64_t end = -1;
  int lane = 0;  // of the first tile
};

// The step that another waited for, and until when.
struct Before {
  int step = -1;
  std::int64_t end = 0;
  bool held_worker = false;
};

// The tile that ended last on the lane by the time of `begin`, if it ended after `ready`.
Before holder(const TracedRun& run, const Span& span, int step, std::int64_t ready) {
  Before found{.end = ready};
  for (const TracedTile& tile : run.tiles) {
    if (tile.begin_ns >= span.begin) break;
    if (tile.lane != span.lane || tile.step == step || tile.end_ns <= found.end) continue;
    if (tile.end_ns <= span.begin) {
      found = {.step = tile.step, .end = tile.end_ns, .held_worker = true};
    }
  }
  return found;
}

}  // namespace

std::vector<PathStep> run_path(const Plan& plan, const TracedRun& run) {
  std::vector<Span> spans(plan.steps.size());
  int last = -1;
  for (const TracedTile& tile : run.tiles) {
    Span& span = spans[static_cast<std::size_t>(tile.step)];
    if (span.begin < 0) {
      span.begin = tile.begin_ns;
      span.lane = tile.lane;
    }
    span.end = std::max(span.end, tile.end_ns);
    if (last < 0 || span.end > spans[static_cast<std::size_t>(last)].end) last = tile.step;
  }
  std::vector<PathStep> path;
  std::int64_t until = last < 0 ? 0 : spans[static_cast<std::size_t>(last)].end;
  while (last >= 0) {
    const Span& span = spans[static_cast<std::size_t>(last)];
    Before before{.end = run.begin_ns};
    for (const int p : plan.steps[static_cast<std::size_t>(last)].predecessors) {
      const std::int64_t end = spans[static_cast<std::size_t>(p)].end;
      if (end < 0 || (before.step >= 0 && end <= before.end)) continue;
      before = {.step = p, .end = end};
    }
    const Before held = holder(run, span, last, before.end);
    if (held.step >= 0) before = held;
    path.push_back({.step = last,
                    .begin_ns = span.begin - run.begin_ns,
                    .ns = until - span.begin,
                    .wait_ns = span.begin - before.end,
                    .for_worker = before.held_worker});
    last = before.step;
    until = before.end;
  }
  std::ranges::reverse(path);
  return path;
}

}  // namespace gradmill
