#include <gradmill/runtime/profile/run_path.h>

#include <algorithm>
#include <cstddef>

#include <gradmill/runtime/trace/step_spans.h>

namespace gradmill {
namespace {

// The step that another waited for, and until when.
struct Before {
  int step = -1;
  std::int64_t end = 0;
  bool held_worker = false;
};

// Of the tiles on the lane of `first` before it, the last to end, if that was after `ready`.
Before holder(const TracedRun& run, const TracedTile& first, std::int64_t ready) {
  Before found{.end = ready};
  for (const TracedTile& tile : run.tiles) {
    if (tile.begin_ns >= first.begin_ns) break;
    if (tile.lane != first.lane || tile.step == first.step || tile.end_ns <= found.end) continue;
    if (tile.end_ns <= first.begin_ns) {
      found = {.step = tile.step, .end = tile.end_ns, .held_worker = true};
    }
  }
  return found;
}

}  // namespace

std::vector<PathStep> run_path(const Plan& plan, const TracedRun& run) {
  const std::vector<StepSpan> spans = step_spans(plan, run);
  const auto tile = [&](int place) -> const TracedTile& {
    return run.tiles[static_cast<std::size_t>(place)];
  };
  const auto span_of = [&](int step) { return spans[static_cast<std::size_t>(step)]; };
  int last = -1;
  std::int64_t until = 0;
  for (int step = 0; step < static_cast<int>(spans.size()); ++step) {
    if (span_of(step).tiles == 0) continue;
    const std::int64_t end = tile(span_of(step).last).end_ns;
    if (last >= 0 && end <= until) continue;
    last = step;
    until = end;
  }
  std::vector<PathStep> path;
  while (last >= 0) {
    const TracedTile& first = tile(span_of(last).first);
    Before before{.end = run.begin_ns};
    for (const int p : plan.steps[static_cast<std::size_t>(last)].predecessors) {
      if (span_of(p).tiles == 0) continue;
      const std::int64_t end = tile(span_of(p).last).end_ns;
      if (before.step >= 0 && end <= before.end) continue;
      before = {.step = p, .end = end};
    }
    const Before held = holder(run, first, before.end);
    if (held.step >= 0) before = held;
    path.push_back({.step = last,
                    .begin_ns = first.begin_ns - run.begin_ns,
                    .ns = until - first.begin_ns,
                    .wait_ns = first.begin_ns - before.end,
                    .for_worker = before.held_worker});
    last = before.step;
    until = before.end;
  }
  std::ranges::reverse(path);
  return path;
}

}  // namespace gradmill
