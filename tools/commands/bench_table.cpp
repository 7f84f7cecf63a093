#include "commands/bench_table.h"

#include <optional>
#include <sstream>

#include "commands/text_line.h"

namespace gradmill {
namespace {

std::string titled(const PeerRow& peer) { return peer.peer + " (" + peer.setting.name + ")"; }

std::optional<double> unless_zero(double value) {
  return value > 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string bench_header(const Machine& machine, const BenchOptions& options) {
  std::ostringstream out;
  out << to_string(machine) << "; gradmill " GRADMILL_VERSION "; " << options.rounds
      << " rounds of " << options.seconds << " s per process, in turns";
  if (!options.tuning.empty()) out << "; tuned by " << options.tuning;
  out << '\n';
  return out.str();
}

std::string bench_titles(const BenchOptions& options) {
  TextLine line;
  line.word("workload", kNameWidth).title("threads", 7).title("ms", 9);
  if (!options.peers.empty()) {
    line.word("  best peer", kPeerWidth).title("its ms", 9).title("x as fast", 10);
  }
  line.title("GFLOP/s", 9).title("GB/s", 7).title("planned MB", 11).title("grown MB", 9);
  line.title("peak MB", 9);
  if (!options.peers.empty()) line.title("its grown", 10).title("its peak", 9);
  line.title("of limit", 9).title("scaling", 8);
  return line.str();
}

std::string bench_line(const BenchRow& row, const BenchRow* one_thread) {
  const PeerRow* best = row.best_peer();
  TextLine line;
  line.word(row.workload, kNameWidth).count(row.threads, 7).ms(row.ms(), 9);
  if (!row.peers.empty()) {
    line.word(best == nullptr ? "  -" : "  " + titled(*best), kPeerWidth);
    line.ms(best == nullptr ? std::nullopt : best->ms(), 9);
    line.number(best == nullptr ? std::nullopt : std::optional(row.times_as_fast_as(*best)), 10, 2);
  }
  line.number(unless_zero(row.gflop_s()), 9, 1).number(row.gb_s(), 7, 1);
  line.mb(row.our("planned_bytes"), 11, 2).mb(row.our("growth_bytes"), 9, 1);
  line.mb(row.our("peak_bytes"), 9, 1);
  if (!row.peers.empty()) {
    line.mb(best == nullptr ? std::nullopt : best->growth_bytes(), 10, 1);
    line.mb(best == nullptr ? std::nullopt : best->peak_bytes(), 9, 1);
  }
  line.number(row.fraction_of_limit(), 9, 2).number(row.scaling(one_thread), 8, 2);
  return line.str();
}

std::string limits_table(const std::vector<BenchRow>& rows) {
  std::string text =
      "\nThe limit: the step's products alone, and its bytes moved once through memory\n";
  text += TextLine()
              .word("workload", kNameWidth)
              .title("threads", 7)
              .title("products ms", 13)
              .title("MB", 9)
              .title("moved in ms", 13)
              .title("limit ms", 10)
              .title("peak GFLOP/s", 14)
              .title("step's of it", 13)
              .title("memory GB/s", 13)
              .title("step's of it", 13)
              .str();
  for (const BenchRow& row : rows) {
    text += TextLine()
                .word(row.workload, kNameWidth)
                .count(row.threads, 7)
                .ms(row.limit("products_ms"), 13)
                .mb(row.limit("bytes"), 9, 1)
                .ms(row.limit("move_ms"), 13)
                .ms(row.limit("limit_ms"), 10)
                .number(row.limit("peak_gflop_s"), 14, 1)
                .number(unless_zero(row.gflop_s() / row.limit("peak_gflop_s")), 13, 2)
                .number(row.limit("bandwidth_gb_s"), 13, 1)
                .number(row.gb_s() / row.limit("bandwidth_gb_s"), 13, 2)
                .str();
  }
  return text;
}

std::string peers_table(const std::vector<BenchRow>& rows) {
  std::string text;
  for (const BenchRow& row : rows) {
    for (const PeerRow& peer : row.peers) {
      TextLine line;
      line.word(row.workload, kNameWidth)
          .count(row.threads, 7)
          .word("  " + titled(peer), kPeerWidth);
      if (!peer.problem.empty()) {
        text += line.word("  " + peer.problem, 1).str();
        continue;
      }
      line.ms(peer.ms(), 9).mb(peer.growth_bytes(), 10, 1).mb(peer.peak_bytes(), 9, 1);
      text += line.word(peer.rounds.empty() ? "  one short run" : "  rounds", 1).str();
    }
  }
  if (text.empty()) return text;
  return "\nPeers: milliseconds per step, memory grown beyond parameters and optimizer state\n" +
         TextLine()
             .word("workload", kNameWidth)
             .title("threads", 7)
             .word("  peer (setting)", kPeerWidth)
             .title("ms", 9)
             .title("grown MB", 10)
             .title("peak MB", 9)
             .str() +
         text;
}

}  // namespace gradmill
