#include "commands/bench_peer.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <nlohmann/json.hpp>

#include <gradmill/runtime/error.h>

#include "commands/bench_process.h"

namespace gradmill {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// What a program wrote, which may be anything, made fit to be quoted in one line.
std::string quoted(std::string text, std::size_t max) {
  constexpr char kFirst = ' ';
  constexpr char kLast = '~';
  if (text.size() > max) text.resize(max);
  for (char& c : text) {
    if (c < kFirst || c > kLast) c = '?';
  }
  return text;
}

std::vector<PeerSetting> settings_of(const fs::path& program) {
  std::vector<PeerSetting> settings = {{"defaults", {}},
                                       {"passive", {{"OMP_WAIT_POLICY", "passive"}}}};
  const std::string path = program.string() + ".settings.json";
  std::ifstream file(path);
  if (!file) return settings;
  try {
    const Json json = Json::parse(file);
    const auto settings_json = json.get<std::map<std::string, Json>>();
    for (const auto& [name, environment] : settings_json) {
      settings.push_back({name, environment.get<std::map<std::string, std::string>>()});
    }
  } catch (const Json::exception& error) {
    fail(path, ": not {\"setting\": {\"VARIABLE\": \"value\"}}: ", error.what());
  }
  return settings;
}

}  // namespace

std::vector<Peer> find_peers(const std::string& folder) {
  std::error_code error;
  std::vector<Peer> peers;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const fs::path& path = entry.path();
    if (!entry.is_regular_file() || access(path.c_str(), X_OK) != 0) continue;
    peers.push_back({path.filename(), fs::absolute(path), settings_of(path)});
  }
  check(!error, "--peers ", folder, ": ", error.message());
  check(!peers.empty(), "--peers ", folder, ": there is no program in it");
  std::ranges::sort(peers, {}, &Peer::name);
  return peers;
}

Sample parse_sample(const std::string& out) {
  const std::string line = last_line(out);
  try {
    const Json json = Json::parse(line);
    Sample sample{json.at("median_ms").get<double>(), {}, {}, line};
    if (json.contains("growth_bytes")) sample.growth_bytes = json["growth_bytes"].get<double>();
    if (json.contains("peak_bytes")) sample.peak_bytes = json["peak_bytes"].get<double>();
    check(std::isfinite(sample.median_ms) && sample.median_ms > 0, "median_ms is ",
          sample.median_ms);
    return sample;
  } catch (const Json::exception&) {
    fail("answered '", quoted(line, 60), "', not JSON with median_ms");
  }
}

PeerAnswer ask(const Peer& peer, const PeerSetting& setting, const std::string& workload,
               int threads, double seconds, double timeout) {
  const std::string count = std::to_string(threads);
  std::map<std::string, std::string> environment = {
      {"OMP_NUM_THREADS", count}, {"OPENBLAS_NUM_THREADS", count}, {"MKL_NUM_THREADS", count}};
  for (const auto& [name, value] : setting.environment) environment[name] = value;
  const ProcessResult result =
      run_process({peer.path, workload, count, cat(seconds)}, environment, timeout);
  PeerAnswer answer;
  if (result.timed_out) {
    answer.problem = cat("took longer than ", timeout, " s");
  } else if (result.status == kNoTwin) {
    answer.no_twin = true;
  } else if (result.status != 0) {
    answer.problem = cat("exited with ", result.status, ": ", quoted(last_line(result.err), 200));
  } else {
    try {
      answer.sample = parse_sample(result.out);
    } catch (const Error& error) {
      answer.problem = error.what();
    }
  }
  return answer;
}

}  // namespace gradmill
