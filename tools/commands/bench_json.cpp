#include "commands/bench_json.h"

#include <optional>

#include <nlohmann/json.hpp>

#include "commands/bench_memory.h"

namespace gradmill {
namespace {

using Json = nlohmann::ordered_json;

Json parsed(const std::vector<Sample>& samples) {
  Json list = Json::array();
  for (const Sample& sample : samples) list.push_back(Json::parse(sample.json));
  return list;
}

Json parsed(const std::vector<std::string>& lines) {
  Json list = Json::array();
  for (const std::string& line : lines) list.push_back(Json::parse(line));
  return list;
}

void set(Json& json, const char* key, std::optional<double> value) {
  if (value) json[key] = *value;
}

Json peer_json(const std::vector<BenchRow>& rows, const BenchRow& row, const PeerRow& peer) {
  Json json = {{"peer", peer.peer},
               {"setting", peer.setting.name},
               {"environment", peer.setting.environment},
               {"rounds", parsed(peer.rounds)}};
  set(json, "ms", peer.ms());
  set(json, "growth_bytes", peer.growth_bytes());
  set(json, "growth_less_warm_up_bytes", growth_less_warm_up(rows, row, peer));
  set(json, "peak_bytes", peer.peak_bytes());
  if (peer.scout) json["scout"] = Json::parse(peer.scout->json);
  if (!peer.rounds.empty()) json["times_as_fast"] = row.times_as_fast_as(peer);
  if (!peer.problem.empty()) json["problem"] = peer.problem;
  return json;
}

Json row_json(const std::vector<BenchRow>& rows, const BenchRow& row) {
  Json json = {{"workload", row.workload},
               {"threads", row.threads},
               {"ms", row.ms()},
               {"gflop_s", row.gflop_s()},
               {"gb_s", row.gb_s()},
               {"fraction_of_limit", row.fraction_of_limit()},
               {"planned_bytes", row.our("planned_bytes")},
               {"unfused_unshared_bytes", row.our("unfused_unshared_bytes")},
               {"growth_bytes", row.our("growth_bytes")},
               {"peak_bytes", row.our("peak_bytes")}};
  set(json, "growth_less_warm_up_bytes", growth_less_warm_up(rows, row));
  set(json, "scaling", row.scaling(one_thread_row(rows, row.workload)));
  if (const PeerRow* best = row.best_peer()) {
    json["best_peer"] = best->peer;
    json["best_setting"] = best->setting.name;
    json["best_peer_ms"] = *best->ms();
    json["times_as_fast"] = row.times_as_fast_as(*best);
  }
  json["gradmill"] = parsed(row.ours);
  json["limit"] = parsed(row.limits);
  json["peers"] = Json::array();
  for (const PeerRow& peer : row.peers) json["peers"].push_back(peer_json(rows, row, peer));
  return json;
}

Json figures_json(const FigureRow& row) {
  Json json = {{"workload", row.workload}};
  if (row.threads) json["threads"] = *row.threads;
  json["figures"] = Json::array();
  for (const bench::Figure& figure : row.figures()) {
    json["figures"].push_back({{"name", figure.name},
                               {"value", figure.value},
                               {"unit", figure.unit},
                               {"target", figure.target}});
  }
  json["rounds"] = parsed(row.rounds);
  return json;
}

}  // namespace

std::string bench_json(const Machine& machine, const BenchOptions& options,
                       const std::vector<BenchRow>& rows, const std::vector<FigureRow>& figures) {
  Json json = {{"processor", machine.processor}, {"instructions", machine.instructions},
               {"cores", machine.cores},         {"version", GRADMILL_VERSION},
               {"rounds", options.rounds},       {"seconds", options.seconds}};
  if (!options.tuning.empty()) json["tuning"] = options.tuning;
  json["rows"] = Json::array();
  for (const BenchRow& row : rows) json["rows"].push_back(row_json(rows, row));
  json["figures"] = Json::array();
  for (const FigureRow& row : figures) json["figures"].push_back(figures_json(row));
  // The output of a peer that failed need not be UTF-8.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gradmill
