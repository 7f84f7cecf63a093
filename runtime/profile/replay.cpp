#include <gradmill/runtime/profile/replay.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

void check_order(const std::vector<ReplayStep>& steps) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (const int p : steps[i].predecessors) {
      check(p >= 0 && at(p) < i, "replay: step ", i, " follows ", p, ", which is not before it");
    }
  }
}

// One per step: its longest tile.
std::vector<double> longest_tiles(const std::vector<ReplayStep>& steps) {
  std::vector<double> ms;
  ms.reserve(steps.size());
  for (const ReplayStep& step : steps) {
    ms.push_back(step.tile_ms.empty() ? 0 : *std::ranges::max_element(step.tile_ms));
  }
  return ms;
}

class Simulation {
 public:
  Simulation(const std::vector<ReplayStep>& steps, int workers, double dispatch_ms)
      : steps_(steps),
        dispatch_ms_(dispatch_ms),
        idle_(workers),
        paths_(lengths_to_end(steps, longest_tiles(steps))),
        successors_(steps.size()),
        next_tile_(steps.size(), 0),
        unfinished_(steps.size(), 0),
        running_(steps.size(), 0) {
    result_.waited_ms.assign(steps.size(), 0);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      waiting_.push_back(static_cast<int>(steps[i].predecessors.size()));
      unfinished_[i] = steps[i].tile_ms.size();
      for (const int p : steps[i].predecessors) successors_[at(p)].push_back(static_cast<int>(i));
    }
  }

  Replay run() {
    const std::vector<int> at_start = waiting_;  // `release` lets others go
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (at_start[i] == 0) release(static_cast<int>(i));
    }
    start_tiles();
    while (!ends_.empty()) {
      const double now = ends_.top().first;
      charge_waiting(now - result_.ms);
      result_.ms = now;
      // All that ends now, so that the choice that follows is among all that is ready.
      while (!ends_.empty() && ends_.top().first <= now) {
        end_tile(ends_.top().second);
        ends_.pop();
      }
      start_tiles();
    }
    return std::move(result_);
  }

 private:
  void release(int step) {
    if (unfinished_[at(step)] == 0) return finish(step);
    ready_.emplace(paths_[at(step)], -step);
  }

  void finish(int step) {
    for (const int successor : successors_[at(step)]) {
      if (--waiting_[at(successor)] == 0) release(successor);
    }
  }

  void start_tiles() {
    while (idle_ > 0 && !ready_.empty()) {
      const int step = -ready_.top().second;
      const double ms = dispatch_ms_ + steps_[at(step)].tile_ms[next_tile_[at(step)]++];
      if (next_tile_[at(step)] == steps_[at(step)].tile_ms.size()) ready_.pop();
      ends_.emplace(result_.ms + ms, step);
      result_.busy_ms += ms;
      ++running_[at(step)];
      --idle_;
    }
  }

  void end_tile(int step) {
    --running_[at(step)];
    ++idle_;
    if (--unfinished_[at(step)] == 0) finish(step);
  }

  void charge_waiting(double ms) {
    if (idle_ == 0) return;
    const double each = ms * idle_ / static_cast<double>(ends_.size());
    for (std::size_t i = 0; i < running_.size(); ++i) result_.waited_ms[i] += each * running_[i];
  }

  const std::vector<ReplayStep>& steps_;
  double dispatch_ms_;
  int idle_;
  std::vector<double> paths_;
  std::vector<std::vector<int>> successors_;
  std::vector<int> waiting_;  // predecessors that are not finished
  std::vector<std::size_t> next_tile_;
  std::vector<std::size_t> unfinished_;                // tiles
  std::vector<int> running_;                           // tiles
  std::priority_queue<std::pair<double, int>> ready_;  // longest path, then the first in the plan
  using End = std::pair<double, int>;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  Replay result_;
};

}  // namespace

Replay replay(const std::vector<ReplayStep>& steps, int workers, double dispatch_ms) {
  check(workers >= 1, "replay: at least 1 worker is needed, got ", workers);
  check_order(steps);
  return Simulation(steps, workers, dispatch_ms).run();
}

CriticalPath critical_path(const std::vector<ReplayStep>& steps) {
  check_order(steps);
  return critical_path(steps, longest_tiles(steps));
}

}  // namespace gradmill
