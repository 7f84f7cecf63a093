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
  std::optional<double> peak_bytes;    ///< resident at the most
  std::string json;                    ///< the line as it came
};

/// Environment variables under which a peer is measured.
struct PeerSetting {
  std::string name;
  std::map<std::string, std::string> environment;
};

/// A program that does the steps with another library. It is called as
///   PROGRAM WORKLOAD THREADS SECONDS
/// and answers on its standard output with a line of JSON, whose median_ms is the milliseconds of a
/// step; or exits with kNoTwin when it has nothing for that workload.
struct Peer {
  std::string name;
  std::string path;
  std::vector<PeerSetting> settings;
};

inline constexpr int kNoTwin = 3;

/// The programs in a folder, by name. Each is measured as it comes ("defaults"), with
/// OMP_WAIT_POLICY=passive ("passive"), and as the file NAME.settings.json beside it says, if there
/// is one: {"name of a setting": {"VARIABLE": "value", ...}, ...}. Throws Error for a folder that
/// cannot be read or has no program, and for a file that does not say that.
std::vector<Peer> find_peers(const std::string& folder);

/// One call of a peer.
struct PeerAnswer {
  std::optional<Sample> sample;  ///< none when it failed or has no twin
  bool no_twin = false;
  std::string problem;  ///< how it failed
};

/// Calls a peer, which gets `timeout` seconds. Numbers of threads are in the environment for the
/// libraries that look for them there. Throws Failure when no process can be made.
PeerAnswer ask(const Peer& peer, const PeerSetting& setting, const std::string& workload,
               int threads, double seconds, double timeout);

/// The sample in the last line of `out`. Throws Error when there is none.
Sample parse_sample(const std::string& out);

}  // namespace gradmill
