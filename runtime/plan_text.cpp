#include <gradmill/runtime/plan_text.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iomanip>
#include <sstream>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <gradmill/runtime/plan/critical_path.h>
#include <gradmill/runtime/plan/step_cost.h>

namespace gradmill {
namespace {

using Json = nlohmann::ordered_json;

std::string_view to_string(Place place) {
  switch (place) {
    case Place::arena: return "arena";
    case Place::feed: return "feed";
    case Place::variable: return "variable";
    case Place::constant: return "constant";
  }
  return "?";
}

// Bytes that are no UTF-8 become U+FFFD, which JSON and DOT both need.
std::string printable(const std::string& text) {
  const std::string json = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(json).get<std::string>();
}

// One line: line breaks as "\n", other control characters as spaces.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : printable(text)) {
    if (c == '\n') {
      line += "\\n";
    } else {
      line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return line;
}

// The inside of a quoted DOT label.
std::string dot_label(const std::string& text) {
  std::string label;
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') label += '\\';
    if (c == '\n') {
      label += "\\n";
    } else {
      label += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return label;
}

std::string kernel_text(const PlanStep& step) {
  if (!step.kernel) return {};
  std::string text = step.kernel->description();
  if (const int phases = step.kernel->phases(); phases > 1) {
    text += cat(" (phase ", step.kernel_phase + 1, " of ", phases, ")");
  }
  return text;
}

// The bytes that a node takes besides what it reads, as planned for its first phase: "512", "4, in
// place" where a result lies over an input, "" for later phases.
std::string memory_text(const Plan& plan, const PlanStep& step) {
  if (step.kernel_phase > 0) return {};
  const auto bytes = [&](int buffer) {
    return plan.buffers[static_cast<std::size_t>(buffer)].bytes;
  };
  std::size_t taken = step.workspace >= 0 ? bytes(step.workspace) : 0;
  bool in_place = false;
  for (const int output : step.outputs) {
    const bool over_input = std::ranges::find(step.inputs, output) != step.inputs.end();
    in_place = in_place || over_input;
    if (!over_input) taken += bytes(output);
  }
  return cat(taken, in_place ? ", in place" : "");
}

// "1.23 GFLOP".
std::string flops_text(double flops) {
  constexpr std::array<const char*, 5> kUnits = {"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  while (flops >= 1000 && unit + 1 < kUnits.size()) {
    flops /= 1000;
    ++unit;
  }
  std::ostringstream text;
  text << flops << ' ' << kUnits[unit] << "FLOP";
  return std::move(text).str();
}

// The longest chain of steps, in steps, and the largest FLOPs of a chain.
struct LongestPath {
  int steps = 0;
  double flops = 0;
};

LongestPath longest_path(const Plan& plan) {
  const std::vector<double> ones(plan.steps.size(), 1);
  std::vector<double> flops;
  flops.reserve(plan.steps.size());
  for (const PlanStep& step : plan.steps) flops.push_back(step.flops);
  return {.steps = static_cast<int>(critical_path(plan.steps, ones).length),
          .flops = critical_path(plan.steps, flops).length};
}

std::string summary(const Plan& plan, std::string_view separator) {
  const LongestPath longest = longest_path(plan);
  double total = 0;
  for (const PlanStep& step : plan.steps) total += step.flops;
  return cat("memory: ", plan.arena_bytes, " bytes planned, ", plan.unshared_bytes,
             " bytes without reuse, ", plan.scratch_bytes,
             " bytes of scratch for each tile in flight", separator,
             "longest path: ", longest.steps, " of ", plan.steps.size(), " steps, ",
             flops_text(longest.flops), " of ", flops_text(total));
}

// The cells of a step's row in the table.
std::vector<std::string> cells(const Plan& plan, std::size_t index) {
  const PlanStep& step = plan.steps[index];
  return {std::to_string(index),      std::string(to_string(step.phase)),
          one_line(step.op),          one_line(step.name),
          one_line(step.shapes),      memory_text(plan, step),
          std::to_string(step.tiles), one_line(kernel_text(step))};
}

std::string color(Phase phase) {
  switch (phase) {
    case Phase::forward: return "lightblue";
    case Phase::backward: return "lightsalmon";
    case Phase::update: return "palegreen";
  }
  return "white";
}

// Hue, saturation and value: white for nothing, red for the longest.
std::string heat(double ms, double longest) {
  const double share = longest > 0 ? std::clamp(ms / longest, 0.0, 1.0) : 0;
  std::ostringstream text;
  text << std::fixed << std::setprecision(3) << "\"0.02 " << 0.75 * share << " 1.0\"";
  return std::move(text).str();
}

bool follows(const std::vector<int>& path, int a, int b) {
  const auto place = std::ranges::find(path, a);
  return place != path.end() && place + 1 != path.end() && *(place + 1) == b;
}

}  // namespace

std::string plan_text(const Plan& plan) {
  std::vector<std::vector<std::string>> rows = {
      {"step", "phase", "op", "name", "shapes", "new bytes", "tiles", "kernel"}};
  for (std::size_t i = 0; i < plan.steps.size(); ++i) rows.push_back(cells(plan, i));

  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::ostringstream out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      line += row[c];
      line.append(widths[c] - row[c].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
  out << summary(plan, "\n") << '\n';
  return std::move(out).str();
}

std::string plan_dot(const Plan& plan, const PlanPicture& picture) {
  const auto steps = static_cast<int>(plan.steps.size());
  check(picture.step_ms.empty() || picture.step_ms.size() == plan.steps.size(),
        "plan_dot: times of ", picture.step_ms.size(), " steps for a plan of ", steps);
  const double longest = picture.step_ms.empty() ? 0 : *std::ranges::max_element(picture.step_ms);
  const std::vector<int> path = picture.critical.empty()
                                    ? critical_path(plan.steps, estimated_seconds(plan)).steps
                                    : picture.critical;
  std::vector<bool> critical(plan.steps.size(), false);
  for (const int step : path) {
    check(step >= 0 && step < steps, "plan_dot: step ", step,
          " is on the critical path of a plan of ", steps, " steps");
    critical[static_cast<std::size_t>(step)] = true;
  }
  std::ostringstream out;
  out << "digraph plan {\n"
      << "  graph [labelloc=t, fontname=\"sans-serif\", label=\"" << summary(plan, "\\n")
      << "\"];\n"
      << "  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n";
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    out << "  s" << i << " [fillcolor="
        << (picture.step_ms.empty() ? color(step.phase) : heat(picture.step_ms[i], longest));
    if (critical[i]) out << ", penwidth=3, fontname=\"sans-serif bold\"";
    out << ", label=\"" << i << ' ' << dot_label(step.op) << ' ' << dot_label(step.name) << "\\n"
        << to_string(step.phase) << ", " << dot_label(step.shapes) << "\\n"
        << step.tiles << (step.tiles == 1 ? " tile: " : " tiles: ") << dot_label(kernel_text(step));
    if (!picture.step_ms.empty()) {
      out << "\\n" << std::setprecision(4) << picture.step_ms[i] << " ms";
    }
    out << "\"];\n";
  }
  for (int i = 0; i < steps; ++i) {
    for (const int predecessor : plan.steps[static_cast<std::size_t>(i)].predecessors) {
      out << "  s" << predecessor << " -> s" << i;
      if (follows(path, predecessor, i)) out << " [penwidth=3]";
      out << ";\n";
    }
  }
  out << "}\n";
  return std::move(out).str();
}

std::string plan_json(const Plan& plan) {
  Json nodes = Json::array();
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    Json node;
    node["index"] = i;
    node["name"] = step.name;
    node["op"] = step.op;
    node["phase"] = to_string(step.phase);
    node["shapes"] = step.shapes;
    node["tiles"] = step.tiles;
    node["kernel"] = step.kernel ? step.kernel->description() : std::string();
    node["kernel_phase"] = step.kernel_phase;
    node["flops"] = step.flops;
    node["bytes"] = step.bytes_moved;
    node["inputs"] = step.inputs;
    node["outputs"] = step.outputs;
    if (step.workspace >= 0) node["workspace"] = step.workspace;
    node["predecessors"] = step.predecessors;
    node["fallible"] = step.fallible;
    nodes.push_back(std::move(node));
  }
  Json buffers = Json::array();
  for (const PlanBuffer& buffer : plan.buffers) {
    Json entry;
    entry["name"] = buffer.name;
    entry["type"] = to_string(buffer.type);
    entry["bytes"] = buffer.bytes;
    entry["place"] = to_string(buffer.place);
    entry["offset"] = buffer.offset;
    entry["keep"] = buffer.keep;
    buffers.push_back(std::move(entry));
  }
  const LongestPath longest = longest_path(plan);
  Json root;
  root["nodes"] = std::move(nodes);
  root["buffers"] = std::move(buffers);
  root["memory"] = {{"planned_bytes", plan.arena_bytes},
                    {"unshared_bytes", plan.unshared_bytes},
                    {"scratch_bytes_per_tile", plan.scratch_bytes}};
  root["longest_path"] = {{"steps", longest.steps}, {"flops", longest.flops}};
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gradmill
