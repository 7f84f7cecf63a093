#include <gradmill/runtime/profile/idle.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include <gradmill/runtime/support/lists.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

Lists successors_of(const Plan& plan) {
  std::vector<std::pair<int, int>> edges;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    for (const int p : plan.steps[i].predecessors) edges.emplace_back(p, static_cast<int>(i));
  }
  return {edges, plan.steps.size()};
}

// Follows one run, tile by tile.
class Watch {
 public:
  Watch(const Trace& trace, const Lists& successors, std::array<double, kSpentKinds>& spent)
      : plan_(*trace.plan), lanes_(trace.lanes), successors_(successors), spent_(spent) {
    for (const PlanStep& step : plan_.steps) {
      waiting_.push_back(static_cast<int>(step.predecessors.size()));
      unfinished_.push_back(step.tiles);
      if (step.predecessors.empty()) ready_ += step.tiles;
    }
  }

  void follow(const TracedRun& run) {
    struct Moment {
      std::int64_t ns;
      bool begins;
      int step;
    };
    std::vector<Moment> moments;
    for (const TracedTile& tile : run.tiles) {
      moments.push_back({tile.begin_ns, true, tile.step});
      moments.push_back({std::max(tile.end_ns, tile.begin_ns + 1), false, tile.step});
    }
    std::ranges::sort(moments, {}, [](const Moment& m) { return std::tuple(m.ns, m.begins); });
    std::int64_t now = run.begin_ns;
    for (const Moment& moment : moments) {
      pass(static_cast<double>(moment.ns - now));
      now = moment.ns;
      moment.begins ? begin(moment.step) : end(moment.step);
    }
    // What is left is the executor's own.
    charge(Spent::dispatch, lanes_,
           static_cast<double>(std::max(run.end_ns - now, std::int64_t{0})));
  }

 private:
  enum Size : std::uint8_t { single, few, many };

  Size size_of(int step) const {
    const std::int64_t tiles = plan_.steps[at(step)].tiles;
    return tiles == 1 ? single : tiles < lanes_ ? few : many;
  }

  void begin(int step) {
    ++running_[size_of(step)];
    --ready_;
  }

  void end(int step) {
    --running_[size_of(step)];
    if (--unfinished_[at(step)] > 0) return;
    for (const int next : successors_[step]) {
      if (--waiting_[at(next)] == 0) ready_ += plan_.steps[at(next)].tiles;
    }
  }

  void pass(double ns) {
    if (ns <= 0) return;
    const std::int64_t running = running_[single] + running_[few] + running_[many];
    charge(Spent::busy, running, ns);
    const std::int64_t idle = lanes_ - running;
    const std::int64_t late = std::clamp<std::int64_t>(ready_, 0, idle);
    charge(Spent::dispatch, late, ns);
    charge(reason(), idle - late, ns);
  }

  // Why there is no more than what runs and what is ready.
  Spent reason() const {
    if (running_[many] > 0) return Spent::uneven_tiles;
    if (running_[few] > 0) return Spent::too_few_tiles;
    return running_[single] + ready_ > 1 ? Spent::nothing_ready : Spent::serial_section;
  }

  void charge(Spent what, std::int64_t lanes, double ns) {
    spent_[static_cast<std::size_t>(what)] += static_cast<double>(lanes) * ns;
  }

  const Plan& plan_;
  std::int64_t lanes_;
  const Lists& successors_;
  std::array<double, kSpentKinds>& spent_;
  std::vector<int> waiting_;                  // one per step: predecessors that have not ended
  std::vector<std::int64_t> unfinished_;      // one per step: tiles
  std::int64_t ready_ = 0;                    // tiles that nobody has begun
  std::array<std::int64_t, 3> running_ = {};  // tiles, by the size of their step
};

}  // namespace

std::array<double, kSpentKinds> time_spent(const Trace& trace) {
  std::array<double, kSpentKinds> spent = {};
  const Lists successors = successors_of(*trace.plan);
  for (const TracedRun& run : trace.runs) {
    if (!run.failed) Watch(trace, successors, spent).follow(run);
  }
  return spent;
}

}  // namespace gradmill
