#include "commands/bench_table.h"

#include <iomanip>
#include <optional>
#include <sstream>

#include <nlohmann/json.hpp>

namespace gradmill {
namespace {

/// Right-aligned numbers and left-aligned words of given widths; "-" for what is not there.
class Line {
 public:
  Line& word(const std::string& text, int width) {
    out_ << std::left << std::setw(width) << text;
    return *this;
  }
  Line& title(const std::string& text, int width) {
    out_ << std::right << std::setw(width) << text;
    return *this;
  }
  Line& number(std::optional<double> value, int width, int digits) {
    if (!value) return title("-", width);
    out_ << std::right << std::fixed << std::setprecision(digits) << std::setw(width) << *value;
    return *this;
  }
  Line& count(std::int64_t value, int width) {
    return number(static_cast<double>(value), width, 0);
  }
  /// Milliseconds, with as many digits as tell.
  Line& ms(std::optional<double> value, int width) {
    return number(value, width, !value || *value >= 100 ? 1 : *value >= 1 ? 2 : 4);
  }
  std::string str() const { return out_.str() + '\n'; }

 private:
  std::ostringstream out_;
};

constexpr int kName = 26;
constexpr int kPeer = 38;
constexpr double kMega = 1e6;

std::optional<double> in_mb(std::optional<double> bytes) {
  if (bytes) *bytes /= kMega;
  return bytes;
}

std::string titled(const PeerRow& peer) { return peer.peer + " (" + peer.setting.name + ")"; }

std::optional<double> unless_zero(double value) {
  return value > 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string bench_header(const Machine& machine, const BenchOptions& options) {
  std::ostringstream out;
  out << machine.processor << " (" << machine.instructions << "), " << machine.cores
      << " cores; gradmill " GRADMILL_VERSION "; " << options.rounds << " rounds of "
      << options.seconds << " s a process, in turns\n";
  Line line;
  line.word("workload", kName).title("threads", 7).title("ms", 9);
  if (!options.peers.empty()) {
    line.word("  best peer", kPeer).title("its ms", 9).title("x as fast", 10);
  }
  line.title("GFLOP/s", 9).title("GB/s", 7).title("planned MB", 11).title("grown MB", 9);
  if (!options.peers.empty()) line.title("peer's MB", 10);
  line.title("of limit", 9).title("scaling", 8);
  return out.str() + line.str();
}

std::string bench_line(const BenchRow& row, const BenchRow* one_thread) {
  const PeerRow* best = row.best_peer();
  const double ms = row.ms();
  Line line;
  line.word(row.workload, kName).count(row.threads, 7).ms(ms, 9);
  if (!row.peers.empty()) {
    line.word(best == nullptr ? "  -" : "  " + titled(*best), kPeer);
    line.ms(best == nullptr ? std::nullopt : best->ms(), 9);
    line.number(best == nullptr ? std::nullopt : std::optional(row.times_as_fast_as(*best)), 10, 2);
  }
  line.number(unless_zero(row.our("flops") / ms / kMega), 9, 1);
  line.number(row.our("moved_bytes") / ms / kMega, 7, 1);
  line.number(in_mb(row.our("planned_bytes")), 11, 2);
  line.number(in_mb(row.our("growth_bytes")), 9, 1);
  if (!row.peers.empty()) {
    line.number(best == nullptr ? std::nullopt : in_mb(best->growth_bytes()), 10, 1);
  }
  line.number(row.fraction_of_limit(), 9, 2);
  line.number(
      one_thread == nullptr ? std::nullopt : std::optional(one_thread->ms() / ms / row.threads), 8,
      2);
  return line.str();
}

std::string limits_table(const std::vector<BenchRow>& rows) {
  std::string text = "\nThe limit: the step's products alone, and its bytes once through memory\n";
  text += Line()
              .word("workload", kName)
              .title("threads", 7)
              .title("products ms", 13)
              .title("MB", 9)
              .title("moved in ms", 13)
              .title("limit ms", 10)
              .title("peak GFLOP/s", 14)
              .title("memory GB/s", 13)
              .str();
  for (const BenchRow& row : rows) {
    text += Line()
                .word(row.workload, kName)
                .count(row.threads, 7)
                .ms(row.limit("products_ms"), 13)
                .number(row.limit("bytes") / kMega, 9, 1)
                .ms(row.limit("move_ms"), 13)
                .ms(row.limit("limit_ms"), 10)
                .number(row.limit("peak_gflop_s"), 14, 1)
                .number(row.limit("bandwidth_gb_s"), 13, 1)
                .str();
  }
  return text;
}

std::string peers_table(const std::vector<BenchRow>& rows) {
  std::string text;
  for (const BenchRow& row : rows) {
    for (const PeerRow& peer : row.peers) {
      Line line;
      line.word(row.workload, kName).count(row.threads, 7).word("  " + titled(peer), kPeer);
      if (!peer.problem.empty()) {
        text += line.word("  " + peer.problem, 1).str();
        continue;
      }
      line.ms(peer.ms(), 9).number(in_mb(peer.growth_bytes()), 10, 1);
      text += line.word(peer.rounds.empty() ? "  one short run" : "  rounds", 1).str();
    }
  }
  if (text.empty()) return text;
  return "\nPeers: milliseconds a step, memory beyond parameters and optimizer state\n" +
         Line()
             .word("workload", kName)
             .title("threads", 7)
             .word("  peer (setting)", kPeer)
             .title("ms", 9)
             .title("grown MB", 10)
             .str() +
         text;
}

std::string bench_json(const Machine& machine, const BenchOptions& options,
                       const std::vector<BenchRow>& rows) {
  using Json = nlohmann::ordered_json;
  const auto parsed = [](const std::vector<Sample>& samples) {
    Json list = Json::array();
    for (const Sample& sample : samples) list.push_back(Json::parse(sample.json));
    return list;
  };
  Json list = Json::array();
  for (const BenchRow& row : rows) {
    const PeerRow* best = row.best_peer();
    Json peers = Json::array();
    for (const PeerRow& peer : row.peers) {
      Json entry = {{"peer", peer.peer},
                    {"setting", peer.setting.name},
                    {"environment", peer.setting.environment},
                    {"rounds", parsed(peer.rounds)}};
      if (peer.ms()) entry["ms"] = *peer.ms();
      if (peer.scout) entry["scout"] = Json::parse(peer.scout->json);
      if (!peer.rounds.empty()) entry["times_as_fast"] = row.times_as_fast_as(peer);
      if (!peer.problem.empty()) entry["problem"] = peer.problem;
      peers.push_back(std::move(entry));
    }
    Json limits = Json::array();
    for (const std::string& limit : row.limits) limits.push_back(Json::parse(limit));
    Json entry = {{"workload", row.workload},
                  {"threads", row.threads},
                  {"ms", row.ms()},
                  {"fraction_of_limit", row.fraction_of_limit()}};
    if (best != nullptr) {
      entry["best_peer"] = best->peer;
      entry["best_setting"] = best->setting.name;
      entry["best_peer_ms"] = *best->ms();
      entry["times_as_fast"] = row.times_as_fast_as(*best);
    }
    entry["gradmill"] = parsed(row.ours);
    entry["limit"] = std::move(limits);
    entry["peers"] = std::move(peers);
    list.push_back(std::move(entry));
  }
  const Json all = {{"processor", machine.processor}, {"instructions", machine.instructions},
                    {"cores", machine.cores},         {"version", GRADMILL_VERSION},
                    {"rounds", options.rounds},       {"seconds", options.seconds},
                    {"rows", std::move(list)}};
  return all.dump(1) + "\n";
}

}  // namespace gradmill
