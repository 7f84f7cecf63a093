#include "commands/bench_rows.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include <nlohmann/json.hpp>

#include <gradmill/runtime/error.h>

#include "commands/bench_process.h"

namespace gradmill {
namespace {

constexpr double kScoutSeconds = 0.5;
constexpr double kTooSlow = 1.5;  // times the short run of the best peer
constexpr double kMega = 1e6;
constexpr int kRefused = 2;

double number(const std::string& json, const char* key) {
  return nlohmann::json::parse(json).at(key).get<double>();
}

/// The median of `key` over samples.
template <class Get>
double median_of(std::size_t count, Get&& get) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(get(i));
  return median(std::move(values));
}

/// A peer's row for each of its settings, with one short run of each.
void scout(const BenchOptions& options, const Peer& peer, BenchRow& row) {
  for (const PeerSetting& setting : peer.settings) {
    PeerAnswer answer = ask(peer, setting, row.workload, row.threads,
                            std::min(kScoutSeconds, options.seconds), options.timeout);
    if (answer.no_twin) return;
    row.peers.push_back({peer.name, setting, std::move(answer.sample), {}, answer.problem});
  }
}

/// The rows that take part in the rounds: the best setting of each peer that is not too slow.
std::vector<PeerRow*> contenders(BenchRow& row) {
  std::vector<PeerRow*> best;
  double fastest = std::numeric_limits<double>::infinity();
  for (PeerRow& peer : row.peers) {
    if (!peer.scout) continue;
    fastest = std::min(fastest, peer.scout->median_ms);
    if (best.empty() || best.back()->peer != peer.peer) {
      best.push_back(&peer);
    } else if (peer.scout->median_ms < best.back()->scout->median_ms) {
      best.back() = &peer;
    }
  }
  std::erase_if(best,
                [&](const PeerRow* peer) { return peer->scout->median_ms > kTooSlow * fastest; });
  return best;
}

/// The median of an optional value of a peer's samples.
std::optional<double> reported(const PeerRow& peer, std::optional<double> Sample::*number) {
  if (peer.rounds.empty()) return peer.scout ? (*peer.scout).*number : std::nullopt;
  std::vector<double> values;
  for (const Sample& sample : peer.rounds) {
    if (sample.*number) values.push_back(*(sample.*number));
  }
  return values.empty() ? std::nullopt : std::optional(median(std::move(values)));
}

}  // namespace

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::optional<double> PeerRow::ms() const {
  if (rounds.empty()) return scout ? std::optional(scout->median_ms) : std::nullopt;
  return median_of(rounds.size(), [&](std::size_t i) { return rounds[i].median_ms; });
}

std::optional<double> PeerRow::growth_bytes() const {
  return reported(*this, &Sample::growth_bytes);
}

std::optional<double> PeerRow::peak_bytes() const { return reported(*this, &Sample::peak_bytes); }

double BenchRow::ms() const {
  return median_of(ours.size(), [&](std::size_t i) { return ours[i].median_ms; });
}

const PeerRow* BenchRow::best_peer() const {
  const PeerRow* best = nullptr;
  for (const PeerRow& peer : peers) {
    if (!peer.rounds.empty() && (best == nullptr || *peer.ms() < *best->ms())) best = &peer;
  }
  return best;
}

double BenchRow::times_as_fast_as(const PeerRow& peer) const {
  const std::size_t rounds = std::min(ours.size(), peer.rounds.size());
  return median_of(rounds,
                   [&](std::size_t i) { return peer.rounds[i].median_ms / ours[i].median_ms; });
}

double BenchRow::our(const char* key) const {
  return median_of(ours.size(), [&](std::size_t i) { return number(ours[i].json, key); });
}

double BenchRow::limit(const char* key) const {
  return median_of(limits.size(), [&](std::size_t i) { return number(limits[i], key); });
}

double BenchRow::fraction_of_limit() const {
  return median_of(limits.size(), [&](std::size_t i) {
    return number(limits[i], "limit_ms") / ours[i].median_ms;
  });
}

double BenchRow::gflop_s() const { return our("flops") / ms() / kMega; }

double BenchRow::gb_s() const { return our("moved_bytes") / ms() / kMega; }

std::optional<double> BenchRow::scaling(const BenchRow* one_thread) const {
  if (one_thread == nullptr) return {};
  return one_thread->ms() / ms() / threads;
}

const BenchRow* one_thread_row(const std::vector<BenchRow>& rows, const std::string& workload) {
  const auto found = std::ranges::find_if(
      rows, [&](const BenchRow& row) { return row.workload == workload && row.threads == 1; });
  return found == rows.end() ? nullptr : &*found;
}

std::string own_line(const std::vector<std::string>& arguments, double timeout) {
  std::vector<std::string> command = {"/proc/self/exe", "bench"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const ProcessResult result = run_process(command, {}, timeout);
  std::string what = "bench";
  for (const std::string& argument : arguments) what += " " + argument;
  if (result.timed_out) throw Failure(cat(what, ": took longer than ", timeout, " s"));
  const std::string said = last_line(result.err);
  check(result.status != kRefused, what, ": ", said);
  if (result.status != 0) throw Failure(cat(what, ": exited with ", result.status, ": ", said));
  return result.out;
}

BenchRow measure_row(const BenchOptions& options, const std::vector<Peer>& peers,
                     const std::string& workload, int threads) {
  BenchRow row{workload, threads, {}, {}, {}};
  for (const Peer& peer : peers) scout(options, peer, row);
  const std::vector<PeerRow*> in_rounds = contenders(row);
  std::vector<std::string> how = {workload, "--threads", std::to_string(threads), "--seconds",
                                  cat(options.seconds)};
  if (!options.tuning.empty()) how.insert(how.end(), {"--tuning", options.tuning});
  const auto own = [&](const char* what) {
    std::vector<std::string> arguments = {what};
    arguments.insert(arguments.end(), how.begin(), how.end());
    return own_line(arguments, options.timeout);
  };
  for (int round = 0; round < options.rounds; ++round) {
    row.ours.push_back(parse_sample(own("--measure")));
    row.limits.push_back(own("--measure-limit"));
    for (PeerRow* peer : in_rounds) {
      if (!peer->problem.empty()) continue;
      const auto program = std::ranges::find(peers, peer->peer, &Peer::name);
      PeerAnswer answer =
          ask(*program, peer->setting, workload, threads, options.seconds, options.timeout);
      if (answer.sample) {
        peer->rounds.push_back(std::move(*answer.sample));
      } else {
        peer->problem = answer.no_twin ? "has no twin any more" : answer.problem;
      }
    }
  }
  return row;
}

}  // namespace gradmill
