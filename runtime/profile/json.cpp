#include <gradmill/runtime/profile/json.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

using Json = nlohmann::ordered_json;

// What is not known is 0 in a profile.
Json known(double value) { return value > 0 ? Json(value) : Json(nullptr); }

// To the nanosecond.
double microseconds(std::int64_t ns) { return static_cast<double>(ns) / 1e3; }
double milliseconds(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

Json ops_of(const Profile& profile) {
  Json ops = Json::array();
  for (const OpProfile& op : profile.ops) {
    ops.push_back({{"op", op.op},
                   {"nodes", op.nodes},
                   {"calls", op.calls},
                   {"self_ms", op.self_ms},
                   {"share", op.share},
                   {"gflops", known(op.gflops)},
                   {"gbs", known(op.gbs)},
                   {"peak_fraction", known(op.peak_fraction)}});
  }
  return ops;
}

Json nodes_of(const Profile& profile) {
  Json nodes = Json::array();
  for (std::size_t i = 0; i < profile.nodes.size(); ++i) {
    const NodeProfile& node = profile.nodes[i];
    const PlanStep& step = profile.trace.plan->steps[i];
    nodes.push_back({{"index", i},
                     {"name", step.name},
                     {"op", step.op},
                     {"phase", to_string(step.phase)},
                     {"kernel_phase", step.kernel_phase},
                     {"kernel_phases", step.kernel ? step.kernel->phases() : 1},
                     {"shapes", step.shapes},
                     {"kernel", step.kernel ? step.kernel->description() : std::string()},
                     {"tiles", step.tiles},
                     {"calls", step.tiles},
                     {"self_ms", node.self_ms},
                     {"share", node.share},
                     {"longest_tile_ms", node.longest_tile_ms},
                     {"flops", step.flops},
                     {"bytes", step.bytes_moved},
                     {"gflops", known(node.gflops)},
                     {"gbs", known(node.gbs)},
                     {"peak_fraction", known(node.peak_fraction)},
                     {"critical", node.critical},
                     {"live_bytes", node.live_bytes},
                     {"predecessors", step.predecessors}});
  }
  return nodes;
}

Json path_of(const Profile& profile) {
  Json nodes = Json::array();
  std::int64_t length = 0;
  for (const PathStep& step : profile.path) {
    nodes.push_back({{"index", step.step},
                     {"begin_ms", milliseconds(step.begin_ns)},
                     {"ms", milliseconds(step.ns)},
                     {"wait_ms", milliseconds(step.wait_ns)},
                     {"for_worker", step.for_worker}});
    length = step.begin_ns + step.ns;
  }
  return {{"run", profile.trace.runs[profile.path_run].number},
          {"ms", milliseconds(length)},
          {"waiting_ms", profile.path_waiting_ms()},
          {"bound_ms", profile.scaling.critical_path_ms},
          {"nodes", std::move(nodes)}};
}

Json memory_of_plan(const Profile& profile) {
  const Plan& plan = *profile.trace.plan;
  Json buffers = Json::array();
  for (const int index : profile.memory.peak_buffers) {
    const PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(index)];
    int writer = -1;
    for (std::size_t i = plan.steps.size(); i-- > 0;) {
      if (std::ranges::find(plan.steps[i].writes, index) != plan.steps[i].writes.end()) {
        writer = static_cast<int>(i);
      }
    }
    buffers.push_back({{"name", buffer.name},
                       {"bytes", buffer.bytes},
                       {"node", writer >= 0 ? Json(writer) : Json(nullptr)}});
  }
  return {
      {"planned_bytes", plan.arena_bytes},
      {"unshared_bytes", plan.unshared_bytes},
      {"variable_bytes", profile.memory.variable_bytes},
      {"peak_bytes", profile.memory.peak_bytes},
      {"peak_node", profile.memory.peak_step >= 0 ? Json(profile.memory.peak_step) : Json(nullptr)},
      {"curve", profile.memory.live_bytes},
      {"peak_buffers", std::move(buffers)}};
}

Json scaling_of(const Profile& profile) {
  Json predictions = Json::array();
  for (const Prediction& p : profile.scaling.predictions) {
    predictions.push_back({{"workers", p.workers},
                           {"ms", p.ms},
                           {"speedup", p.speedup},
                           {"efficiency", p.efficiency},
                           {"measured_ms", known(p.measured_ms)}});
  }
  return {{"dispatch_us", profile.scaling.dispatch_ms * 1e3},
          {"work_ms", profile.scaling.work_ms},
          {"critical_path_ms", profile.scaling.critical_path_ms},
          {"bytes", profile.scaling.bytes},
          {"bandwidth_gbs", known(profile.scaling.bandwidth_cap_gbs)},
          {"predictions", std::move(predictions)}};
}

// Whole runs from the critical path's on, or from before it where there is room for the rest.
Json timeline_of(const Profile& profile, std::size_t max_tiles) {
  const std::vector<TracedRun>& runs = profile.trace.runs;
  const auto fits = [&](std::size_t count, std::size_t more) {
    return count <= max_tiles && more <= max_tiles - count;
  };
  std::size_t first = runs.size();
  std::size_t tiles = 0;
  while (first > 0 && fits(tiles, runs[first - 1].tiles.size()))
    tiles += runs[--first].tiles.size();
  first = std::min(first, profile.path_run);
  std::size_t end = first;
  tiles = 0;
  while (end < runs.size() && (end == first || fits(tiles, runs[end].tiles.size()))) {
    tiles += runs[end++].tiles.size();
  }
  Json lanes = Json::array();
  for (int lane = 0; lane < profile.trace.lanes; ++lane) lanes.push_back(cat("worker ", lane));
  Json spans = Json::array();
  Json events = Json::array();
  const std::int64_t origin = runs[first].begin_ns;
  for (std::size_t i = first; i < end; ++i) {
    spans.push_back({{"run", runs[i].number},
                     {"begin_us", microseconds(runs[i].begin_ns - origin)},
                     {"end_us", microseconds(runs[i].end_ns - origin)}});
    for (const TracedTile& tile : runs[i].tiles) {
      events.push_back(
          Json::array({tile.lane, tile.step, tile.tile, microseconds(tile.begin_ns - origin),
                       microseconds(tile.end_ns - tile.begin_ns)}));
    }
  }
  return {{"lanes", std::move(lanes)},
          {"shown_runs", end - first},
          {"all_runs", runs.size() + profile.trace.dropped_runs},
          {"dropped_events", profile.trace.dropped_tiles},
          {"runs", std::move(spans)},
          {"events", std::move(events)}};
}

}  // namespace

std::string json_of(const Profile& profile, std::size_t max_tiles) {
  const ProfileOptions& options = profile.options;
  Json spent;
  for (std::size_t i = 0; i < kSpentKinds; ++i) {
    spent[std::string(to_string(static_cast<Spent>(i)))] = profile.spent[i];
  }
  const auto failed = std::ranges::count(profile.trace.runs, true, &TracedRun::failed);
  const Json data = {{"format", "gradmill profile 1"},
                     {"title", options.title},
                     {"machine",
                      {{"processor", options.processor.empty() ? Json() : Json(options.processor)},
                       {"cores", options.cores > 0 ? Json(options.cores) : Json()},
                       {"peak_gflops", known(options.peaks.gflops)},
                       {"bandwidth_gbs", known(options.peaks.bandwidth_gbs)}}},
                     {"threads", profile.trace.lanes},
                     {"serial", profile.trace.lanes == 1},
                     {"runs",
                      {{"count", profile.trace.runs.size() - static_cast<std::size_t>(failed)},
                       {"median_ms", profile.median_ms},
                       {"p10_ms", profile.p10_ms},
                       {"p90_ms", profile.p90_ms}}},
                     {"ops", ops_of(profile)},
                     {"nodes", nodes_of(profile)},
                     {"critical_path", path_of(profile)},
                     {"efficiency", std::move(spent)},
                     {"memory", memory_of_plan(profile)},
                     {"scaling", scaling_of(profile)},
                     {"timeline", timeline_of(profile, max_tiles)}};
  return data.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gradmill
