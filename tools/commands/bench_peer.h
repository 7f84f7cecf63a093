#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gradmill {

/// What a measuring process answered, in one line of JSON.
struct Sample {
  double median_ms = 0;
  std::optional<double> growth_bytes;  ///< beyond parameters and optimizer state
  std::optional<double> peak_bytes;    ///< max resident memory
  std::string json;                    ///< the line as it came
};

/// Environment variables under which a peer is measured.
struct PeerSetting {
  std::string name;
  std::map<std::string, std::string> environment;
};

/// A program that does the steps with another library. It is called as
///   PROGRAM WORKLOAD THREADS SECONDS
/// and prints one line of JSON on its standard output, whose median_ms is the milliseconds per
/// step; or exits with kNoTwin when it does not have that workload.
struct Peer {
  std::string name;
  std::string path;
  std::vector<PeerSetting> settings;
};

inline constexpr int kNoTwin = 3;

/// The programs in a folder, by name. Each is measured under its defaults ("defaults"), with
/// OMP_WAIT_POLICY=passive ("passive"), and under the settings in the file NAME.settings.json
/// beside it, if there is one: {"name of a setting": {"VARIABLE": "value", ...}, ...}. Throws Error
/// for a folder that cannot be read or has no program, and for a file of another form.
std::vector<Peer> find_peers(const std::string& folder);

/// One call of a peer.
struct PeerAnswer {
  std::optional<Sample> sample;  ///< none when it failed or has no twin
  bool no_twin = false;
  std::string problem;  ///< how it failed
};

/// Calls a peer, which may take `timeout` seconds. The number of threads is in the environment as
/// well, for libraries that look for it there. Throws Failure when no process can be made.
PeerAnswer ask(const Peer& peer, const PeerSetting& setting, const std::string& workload,
               int threads, double seconds, double timeout);

/// The sample in the last line of `out`. Throws Error when there is none.
Sample parse_sample(const std::string& out);

}  // namespace gradmill
