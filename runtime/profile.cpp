#include <gradmill/runtime/profile.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/profile/idle.h>
#include <gradmill/runtime/profile/json.h>
#include <gradmill/runtime/profile/median.h>
#include <gradmill/runtime/profile/replay.h>
#include <gradmill/runtime/profile/run_path.h>
#include <gradmill/runtime/profile/text.h>
#include <gradmill/runtime/profile/tile_times.h>
#include <gradmill/runtime/trace/live_bytes.h>

namespace gradmill {
namespace {

double ms(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }

// Amounts by milliseconds, in 1e9 a second.
double per_second(double amount, double milliseconds) {
  return milliseconds > 0 ? amount / milliseconds * 1e-6 : 0;
}

// Of what one thread could do at best: arithmetic, or the bytes that it takes (S. Williams et al.,
// "Roofline: an insightful visual performance model", 2009).
double fraction_of_roof(double flops, double bytes, double self_ms, const MachinePeaks& peaks,
                        int threads) {
  const double gflops = peaks.gflops / threads;
  const double gbs = peaks.bandwidth_gbs / threads;
  double least_ms = 0;
  if (flops > 0 && gflops > 0) least_ms = flops / gflops * 1e-6;
  if (bytes > 0 && gbs > 0) least_ms = std::max(least_ms, bytes / gbs * 1e-6);
  return self_ms > 0 ? least_ms / self_ms : 0;
}

void check_options(const ProfileOptions& options) {
  const auto known = [](const char* what, double value) {
    check(std::isfinite(value) && value >= 0, "profile: ", what,
          " must be finite and at least 0, got ", value);
  };
  known("the peak GFLOP/s", options.peaks.gflops);
  known("the peak bandwidth", options.peaks.bandwidth_gbs);
  known("the bandwidth cap", options.bandwidth_cap_gbs);
  known("the dispatch", options.dispatch_ms);
  for (const auto& [threads, rate] : options.compute_rates) {
    check(threads >= 1, "profile: a compute rate is of at least 1 thread, got ", threads);
    check(std::isfinite(rate) && rate > 0, "profile: the compute rate of ", threads,
          " threads must be finite and above 0, got ", rate);
  }
  check(std::isfinite(options.migration) && options.migration >= 1,
        "profile: the migration must be finite and at least 1, got ", options.migration);
  for (const int workers : options.workers) {
    check(workers >= 1, "profile: at least 1 worker is needed, got ", workers);
  }
}

class Profiler {
 public:
  // Whether there is a plan at all is checked by who takes the medians.
  Profiler(Trace trace, ProfileOptions options)
      : medians_(median_tile_times(trace)),
        steps_(tile_times(trace, medians_)),
        plan_(*trace.plan) {
    profile_.trace = std::move(trace);
    profile_.options = std::move(options);
  }

  Profile run() {
    find_runs();
    profile_.memory = memory_of(plan_);
    find_nodes();
    find_ops();
    find_spent();
    find_scaling();
    return std::move(profile_);
  }

 private:
  void find_runs() {
    const std::vector<TracedRun>& runs = profile_.trace.runs;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (!runs[i].failed) order.push_back(i);
    }
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return length(runs[i]); });
    const auto at = [&](double quantile) {
      return order[static_cast<std::size_t>(quantile * static_cast<double>(order.size() - 1))];
    };
    profile_.p10_ms = ms(length(runs[at(0.1)]));
    profile_.p90_ms = ms(length(runs[at(0.9)]));
    profile_.path_run = at(0.5);
    profile_.median_ms = ms(length(runs[at(0.5)]));
    profile_.path = run_path(plan_, runs[profile_.path_run]);
  }

  void find_nodes() {
    profile_.nodes.resize(plan_.steps.size());
    std::vector<double> self(plan_.steps.size());
    std::vector<std::vector<double>> all(plan_.steps.size());
    for (const TracedRun& run : profile_.trace.runs) {
      if (run.failed) continue;
      self.assign(self.size(), 0);
      for (const TracedTile& tile : run.tiles) {
        self[static_cast<std::size_t>(tile.step)] += ms(tile.end_ns - tile.begin_ns);
      }
      for (std::size_t i = 0; i < self.size(); ++i) all[i].push_back(self[i]);
    }
    double total = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      profile_.nodes[i].self_ms = median(std::move(all[i]));
      total += profile_.nodes[i].self_ms;
    }
    for (std::size_t i = 0; i < profile_.nodes.size(); ++i) {
      NodeProfile& node = profile_.nodes[i];
      const PlanStep& step = plan_.steps[i];
      node.share = total > 0 ? node.self_ms / total : 0;
      if (!medians_[i].tile_ms.empty()) {
        node.longest_tile_ms = *std::ranges::max_element(medians_[i].tile_ms);
      }
      node.gflops = per_second(step.flops, node.self_ms);
      node.gbs = per_second(step.bytes_moved, node.self_ms);
      node.peak_fraction = fraction(step.flops, step.bytes_moved, node.self_ms);
      node.live_bytes = profile_.memory.live_bytes[i];
    }
    for (const PathStep& step : profile_.path) {
      profile_.nodes[static_cast<std::size_t>(step.step)].critical = true;
    }
  }

  void find_ops() {
    struct Sum {
      OpProfile op;
      double flops = 0;
      double bytes = 0;
      double least_ms = 0;
    };
    std::map<std::string, Sum> sums;
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      const PlanStep& step = plan_.steps[i];
      const NodeProfile& node = profile_.nodes[i];
      Sum& sum = sums[step.op];
      sum.op.op = step.op;
      sum.op.nodes += step.kernel_phase == 0 ? 1 : 0;
      sum.op.calls += step.tiles;
      sum.op.self_ms += node.self_ms;
      sum.op.share += node.share;
      sum.flops += step.flops;
      sum.bytes += step.bytes_moved;
      sum.least_ms += node.peak_fraction * node.self_ms;
    }
    for (auto& [name, sum] : sums) {
      sum.op.gflops = per_second(sum.flops, sum.op.self_ms);
      sum.op.gbs = per_second(sum.bytes, sum.op.self_ms);
      if (sum.op.self_ms > 0) sum.op.peak_fraction = sum.least_ms / sum.op.self_ms;
      profile_.ops.push_back(std::move(sum.op));
    }
    std::ranges::stable_sort(profile_.ops, std::ranges::greater(), &OpProfile::self_ms);
  }

  void find_spent() {
    profile_.spent = time_spent(profile_.trace);
    const double all = std::accumulate(profile_.spent.begin(), profile_.spent.end(), 0.0);
    for (double& part : profile_.spent) part = all > 0 ? part / all : 0;
  }

  void find_scaling() {
    const ProfileOptions& options = profile_.options;
    ScalingProfile& scaling = profile_.scaling;
    for (const PlanStep& step : plan_.steps) scaling.bytes += step.bytes_moved;
    scaling.dispatch_ms = options.dispatch_ms;
    scaling.bandwidth_cap_gbs = options.bandwidth_cap_gbs;
    const double least =
        scaling.bandwidth_cap_gbs > 0 ? scaling.bytes / scaling.bandwidth_cap_gbs * 1e-6 : 0;
    const double recorded = slowness(profile_.trace.lanes);
    scaling.work_ms = replay(steps_, 1, 0).ms * slowness(1) / recorded;
    scaling.critical_path_ms =
        critical_path(steps_).length * contention(std::numeric_limits<int>::max()) / recorded;
    // A session runs its plan serially where the flow graph would cost more than it gains.
    const auto predicted = [&](int workers) {
      const double scale = slowness(workers) / recorded;
      const double flow = replay(steps_, workers, scaling.dispatch_ms / scale).ms * scale;
      return std::max(std::min(flow, scaling.work_ms), least);
    };
    const double alone = predicted(1);
    for (const int workers : options.workers) {
      Prediction prediction{.workers = workers, .ms = workers == 1 ? alone : predicted(workers)};
      prediction.speedup = prediction.ms > 0 ? alone / prediction.ms : 1;
      prediction.efficiency = prediction.speedup / workers;
      for (const auto& [threads, measured] : options.measured) {
        if (threads == workers) prediction.measured_ms = measured;
      }
      scaling.predictions.push_back(prediction);
    }
  }

  // How long a tile takes beside so many others, against alone on the machine.
  double contention(int threads) const {
    int known = 0;
    double result = 1;
    for (const auto& [count, rate] : profile_.options.compute_rates) {
      if (count > threads || count < known) continue;
      known = count;
      result = count / rate;
    }
    return result;
  }

  double slowness(int threads) const {
    const double elsewhere = 1 - 1.0 / threads;  // the part of the data that others hold
    return contention(threads) * (1 + (profile_.options.migration - 1) * elsewhere);
  }

  static std::int64_t length(const TracedRun& run) { return run.end_ns - run.begin_ns; }

  double fraction(double flops, double bytes, double self_ms) const {
    return fraction_of_roof(flops, bytes, self_ms, profile_.options.peaks, profile_.trace.lanes);
  }

  std::vector<ReplayStep> medians_;
  std::vector<ReplayStep> steps_;
  const Plan& plan_;
  Profile profile_;
};

}  // namespace

std::string profile_text(const Profile& profile) { return text_of(profile); }

std::string profile_json(const Profile& profile) {
  return json_of(profile, std::numeric_limits<std::size_t>::max()) + "\n";
}

Profile make_profile(Trace trace, ProfileOptions options) {
  check_options(options);
  return Profiler(std::move(trace), std::move(options)).run();
}

MemoryProfile memory_of(const Plan& plan) {
  MemoryProfile memory;
  LiveBytes live(plan);
  for (int i = 0; i < static_cast<int>(plan.steps.size()); ++i) {
    live.begin(i);
    memory.live_bytes.push_back(live.bytes());
    if (live.bytes() > memory.peak_bytes) {
      memory.peak_bytes = live.bytes();
      memory.peak_step = i;
    }
    live.end(i);
  }
  live.reset();
  for (int i = 0; i <= memory.peak_step; ++i) {
    if (i > 0) live.end(i - 1);
    live.begin(i);
  }
  for (int b = 0; b < static_cast<int>(plan.buffers.size()); ++b) {
    if (live.alive(b)) memory.peak_buffers.push_back(b);
  }
  std::ranges::stable_sort(memory.peak_buffers, std::ranges::greater(), [&](int buffer) {
    return plan.buffers[static_cast<std::size_t>(buffer)].bytes;
  });
  memory.variable_bytes = bytes_in(plan, Place::variable);
  return memory;
}

}  // namespace gradmill
