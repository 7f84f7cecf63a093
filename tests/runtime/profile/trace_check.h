#pragma once

#include <gradmill/runtime/trace.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace gradmill {

/// What a trace file holds of one session.
struct SessionEvents {
  std::map<int, std::string> lanes;           ///< names by thread
  std::map<int, std::size_t> tiles;           ///< by thread
  std::map<std::uint64_t, double> run_flops;  ///< by the number of the run
  std::map<std::uint64_t, std::size_t> run_tiles;
  std::size_t arrows = 0;
  std::size_t steps = 0;    ///< complete events of whole steps
  std::size_t markers = 0;  ///< instant events of their begins
  std::uint64_t dropped_runs = 0;
  double most_live_bytes = 0;
  double most_running = 0;
};

/// Checks all events against the rules of the format (complete events that do not overlap on a
/// lane, times in order, arrows between events that exist, tiles inside their step), and returns
/// what there is, by session. Fails the running test where a rule is broken.
std::map<int, SessionEvents> check_trace(const nlohmann::json& events);

/// The events of a file, which must be strict JSON with an event a line; inflates ".gz".
nlohmann::json read_trace(const std::string& path);

/// The text of a file, inflated as far as it goes where its name ends in ".gz".
std::string read_inflated(const std::string& path);

}  // namespace gradmill
