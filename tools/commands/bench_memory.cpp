#include "commands/bench_memory.h"

#include <algorithm>
#include <set>

#include "commands/text_line.h"

namespace gradmill {
namespace {

constexpr const char* kWarmUp = "mlp-small";

const BenchRow* warm_up_of(const std::vector<BenchRow>& rows, const BenchRow& row) {
  if (row.workload == kWarmUp) return nullptr;
  const auto found = std::ranges::find_if(rows, [&](const BenchRow& other) {
    return other.workload == kWarmUp && other.threads == row.threads;
  });
  return found == rows.end() ? nullptr : &*found;
}

/// The peer under the setting that was measured in rounds, or else under the fastest one.
const PeerRow* best_setting(const BenchRow& row, const std::string& peer) {
  const PeerRow* best = nullptr;
  for (const PeerRow& candidate : row.peers) {
    if (candidate.peer != peer || !candidate.ms()) continue;
    if (!candidate.rounds.empty()) return &candidate;
    if (best == nullptr || *candidate.ms() < *best->ms()) best = &candidate;
  }
  return best;
}

}  // namespace

std::optional<double> growth_less_warm_up(const std::vector<BenchRow>& rows, const BenchRow& row) {
  const BenchRow* warm_up = warm_up_of(rows, row);
  if (warm_up == nullptr) return {};
  return std::max(0.0, row.our("growth_bytes") - warm_up->our("growth_bytes"));
}

std::optional<double> growth_less_warm_up(const std::vector<BenchRow>& rows, const BenchRow& row,
                                          const PeerRow& peer) {
  const BenchRow* warm_up = warm_up_of(rows, row);
  if (warm_up == nullptr) return {};
  const auto same = std::ranges::find_if(warm_up->peers, [&](const PeerRow& other) {
    return other.peer == peer.peer && other.setting.name == peer.setting.name;
  });
  const std::optional<double> growth = peer.growth_bytes();
  if (same == warm_up->peers.end() || !growth || !same->growth_bytes()) return {};
  return std::max(0.0, *growth - *same->growth_bytes());
}

std::string memory_table(const std::vector<BenchRow>& rows) {
  constexpr int kColumn = 15;
  std::set<std::string> peers;
  for (const BenchRow& row : rows) {
    for (const PeerRow& peer : row.peers) peers.insert(peer.peer);
  }
  TextLine titles;
  titles.word("workload", kNameWidth).title("threads", 7).title("planned", 10);
  titles.title("unfused", 10).title("of that", 9).title("grown", kColumn);
  for (const std::string& peer : peers) titles.title(peer, kColumn);
  std::string text =
      "\nMemory beyond parameters and optimizer state, MB: planned, of an unfused plan without\n"
      "reuse, and by how much the processes grew, minus their growth on " +
      std::string(kWarmUp) + " (warming up)\n" + titles.str();
  for (const BenchRow& row : rows) {
    const double planned = row.our("planned_bytes");
    const double unfused = row.our("unfused_unshared_bytes");
    TextLine line;
    line.word(row.workload, kNameWidth).count(row.threads, 7).mb(planned, 10, 2);
    line.mb(unfused, 10, 2).number(planned / unfused, 9, 2);
    line.mb(growth_less_warm_up(rows, row), kColumn, 1);
    for (const std::string& name : peers) {
      const PeerRow* peer = best_setting(row, name);
      line.mb(peer == nullptr ? std::nullopt : growth_less_warm_up(rows, row, *peer), kColumn, 1);
    }
    text += line.str();
  }
  return text;
}

}  // namespace gradmill
