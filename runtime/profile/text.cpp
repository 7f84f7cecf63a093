#include <gradmill/runtime/profile/text.h>

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <numeric>
#include <sstream>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::size_t kMaxRows = 20;

// A table whose columns are as wide as their widest cell; the first is aligned to the left.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  void print(std::ostream& out) const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
      for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
    }
    for (const auto& row : rows_) {
      std::string line = "  ";
      for (std::size_t c = 0; c < row.size(); ++c) {
        const std::string space(widths[c] - row[c].size(), ' ');
        line += c == 0 ? row[c] + space : "  " + space + row[c];
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out << line << '\n';
    }
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return std::move(text).str();
}

// "-" for what is not known.
std::string known(double value, int digits) { return value > 0 ? fixed(value, digits) : "-"; }
std::string percent(double fraction) { return fixed(100 * fraction, 1) + "%"; }
std::string known_percent(double fraction) { return fraction > 0 ? percent(fraction) : "-"; }
std::string ms(std::int64_t ns) { return fixed(static_cast<double>(ns) * 1e-6, 3); }
std::string megabytes(std::size_t bytes) { return fixed(static_cast<double>(bytes) * 1e-6, 3); }

// Names may hold anything.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return line;
}

std::string node_text(const Plan& plan, int step) {
  const PlanStep& planned = plan.steps[static_cast<std::size_t>(step)];
  std::string text = cat(to_string(planned.phase), " ", planned.op, " '", planned.name, "'");
  if (planned.kernel_phase > 0) text += cat(" phase ", planned.kernel_phase + 1);
  return one_line(text);
}

void print_head(std::ostream& out, const Profile& profile) {
  const ProfileOptions& options = profile.options;
  const auto failed = std::ranges::count(profile.trace.runs, true, &TracedRun::failed);
  if (!options.title.empty()) out << one_line(options.title) << '\n';
  if (!options.processor.empty()) {
    out << options.processor << ", " << options.cores << (options.cores == 1 ? " core" : " cores");
    if (options.peaks.gflops > 0) {
      out << "; measured: " << fixed(options.peaks.gflops, 1) << " GFLOP/s, "
          << known(options.peaks.bandwidth_gbs, 1) << " GB/s";
    }
    out << '\n';
  }
  out << "steps: " << profile.trace.runs.size() - static_cast<std::size_t>(failed) << " on "
      << profile.trace.lanes << (profile.trace.lanes == 1 ? " thread, " : " threads, ")
      << fixed(profile.median_ms, 3) << " ms (median; " << fixed(profile.p10_ms, 3) << " to "
      << fixed(profile.p90_ms, 3) << " from the 10th to the 90th of 100)\n";
  if (profile.trace.dropped_runs > 0) {
    out << "dropped, for want of room: " << profile.trace.dropped_runs << " steps with "
        << profile.trace.dropped_tiles << " tiles\n";
  }
}

void print_ops(std::ostream& out, const Profile& profile) {
  Table table({"op", "nodes", "calls", "self ms", "share", "GFLOP/s", "GB/s", "of peak"});
  for (const OpProfile& op : profile.ops) {
    table.add({one_line(op.op), std::to_string(op.nodes), std::to_string(op.calls),
               fixed(op.self_ms, 3), percent(op.share), known(op.gflops, 1), known(op.gbs, 1),
               known_percent(op.peak_fraction)});
  }
  out << "\nby op (a step's, on one thread)\n";
  table.print(out);
}

void print_nodes(std::ostream& out, const Profile& profile) {
  std::vector<std::size_t> order(profile.nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](std::size_t i) { return profile.nodes[i].self_ms; });
  const std::size_t shown = std::min(order.size(), kMaxRows);
  Table table({"node (*: on the critical path)", "calls", "self ms", "share", "longest tile",
               "GFLOP/s", "GB/s", "of peak"});
  for (std::size_t row = 0; row < shown; ++row) {
    const std::size_t i = order[row];
    const NodeProfile& node = profile.nodes[i];
    table.add({node_text(*profile.trace.plan, static_cast<int>(i)) + (node.critical ? " *" : ""),
               std::to_string(profile.trace.plan->steps[i].tiles), fixed(node.self_ms, 3),
               percent(node.share), fixed(node.longest_tile_ms, 3), known(node.gflops, 1),
               known(node.gbs, 1), known_percent(node.peak_fraction)});
  }
  out << "\nby node" << (shown < order.size() ? cat(" (", shown, " of ", order.size(), ")") : "")
      << '\n';
  table.print(out);
}

void print_path(std::ostream& out, const Profile& profile) {
  out << "\ncritical path of step " << profile.trace.runs[profile.path_run].number << ": waiting "
      << fixed(profile.path_waiting_ms(), 3) << " ms in all\n";
  Table table(
      {"node (+: the one before held its worker)", "began at ms", "took ms", "after waiting ms"});
  for (const PathStep& step : profile.path) {
    table.add({node_text(*profile.trace.plan, step.step) + (step.for_worker ? " +" : ""),
               ms(step.begin_ns), ms(step.ns), ms(step.wait_ns)});
  }
  table.print(out);
}

void print_efficiency(std::ostream& out, const Profile& profile) {
  constexpr std::array<const char*, kSpentKinds> kReasons = {
      "ran tiles",
      "a tile was ready, and no worker had taken it yet, or had no core to run on",
      "all that was left waited for what ran",
      "all that was left waited for one step of a single tile",
      "what ran has fewer tiles than there are workers",
      "what ran had tiles enough, but the last of them ended late"};
  out << "\nparallel efficiency: where the workers' time went\n";
  for (std::size_t i = 0; i < kSpentKinds; ++i) {
    std::string name(to_string(static_cast<Spent>(i)));
    std::ranges::replace(name, '_', ' ');
    out << "  " << std::left << std::setw(14) << name << std::right << std::setw(7)
        << percent(profile.spent[i]) << "  " << kReasons[i] << '\n';
  }
}

void print_memory(std::ostream& out, const Profile& profile) {
  const Plan& plan = *profile.trace.plan;
  const MemoryProfile& memory = profile.memory;
  out << "\nmemory, MB: planned " << megabytes(plan.arena_bytes) << ", without reuse "
      << megabytes(plan.unshared_bytes) << ", parameters and state "
      << megabytes(memory.variable_bytes) << '\n';
  if (memory.peak_step < 0) return;
  out << "  most is alive, " << megabytes(memory.peak_bytes) << ", at "
      << node_text(plan, memory.peak_step) << ":\n";
  const std::size_t shown = std::min(memory.peak_buffers.size(), kMaxRows / 2);
  for (std::size_t i = 0; i < shown; ++i) {
    const PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(memory.peak_buffers[i])];
    out << std::setw(12) << megabytes(buffer.bytes) << "  " << one_line(buffer.name) << '\n';
  }
  if (shown < memory.peak_buffers.size()) {
    out << "              and " << memory.peak_buffers.size() - shown << " more\n";
  }
}

void print_scaling(std::ostream& out, const Profile& profile) {
  const ScalingProfile& scaling = profile.scaling;
  out << "\nwhat more cores would give: the measured tiles scheduled again; work "
      << fixed(scaling.work_ms, 3) << " ms, longest chain " << fixed(scaling.critical_path_ms, 3)
      << " ms, " << fixed(scaling.dispatch_ms * 1e3, 2) << " us a tile to dispatch";
  if (scaling.bandwidth_cap_gbs > 0) {
    out << ", memory at most " << fixed(scaling.bandwidth_cap_gbs, 1) << " GB/s";
  }
  out << '\n';
  Table table({"workers", "ms", "speed-up", "efficiency", "measured ms", "predicted / measured"});
  for (const Prediction& p : scaling.predictions) {
    table.add({std::to_string(p.workers), fixed(p.ms, 3), fixed(p.speedup, 2),
               percent(p.efficiency), known(p.measured_ms, 3),
               p.measured_ms > 0 ? fixed(p.ms / p.measured_ms, 3) : "-"});
  }
  table.print(out);
}

}  // namespace

std::string text_of(const Profile& profile) {
  std::ostringstream out;
  print_head(out, profile);
  print_ops(out, profile);
  print_nodes(out, profile);
  print_path(out, profile);
  print_efficiency(out, profile);
  print_memory(out, profile);
  print_scaling(out, profile);
  return std::move(out).str();
}

}  // namespace gradmill
