#pragma once

// Traces as text.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gradmill/runtime/trace.h>
#include <gradmill/runtime/trace/live_bytes.h>

namespace gradmill {

/// One session's part of a file in the Trace Event Format ("Trace Event Format", N. Duca and
/// D. Sinclair, 2016), in its array form: an event a line, each but the first after a comma. Times
/// are microseconds from `origin_ns`, with the nanoseconds behind the point.
///
/// Lanes of one process are told apart as threads: session s has thread 2000 s for its steps, and
/// 2000 s + 1 + lane for each worker, in which tiles are complete events ("X"). A dependency is an
/// arrow ("s", "f") from the last tile of one step to the first of the other.
class TraceFormat {
 public:
  /// `session` from 1.
  TraceFormat(std::shared_ptr<const Plan> plan, int lanes, int session, std::int64_t origin_ns);

  /// The first and the last text of a file.
  static std::string head();
  static std::string tail() { return "\n]\n"; }
  /// Names of the lanes.
  std::string names() const;
  /// Appends the events of one run, in the order of their times.
  void append(std::string& text, const TracedRun& run);
  /// Says that so much is missing here.
  void append_dropped(std::string& text, std::uint64_t runs, std::uint64_t tiles,
                      std::int64_t now_ns) const;

 private:
  void append_time(std::string& text, std::int64_t ns) const;
  void append_step(std::string& text, const TracedRun& run) const;
  void append_tile(std::string& text, const TracedRun& run, const TracedTile& tile) const;
  void append_arrow(std::string& text, char end, std::uint64_t id, std::int64_t ns, int lane) const;
  void append_counter(std::string& text, const char* name, std::int64_t ns,
                      std::uint64_t value) const;
  int thread_of(int lane) const { return kThreads * session_ + 1 + lane; }

  static constexpr int kThreads = 2000;  // of a session, which has at most 1024 lanes

  std::shared_ptr<const Plan> plan_;
  int lanes_;
  int session_;
  std::int64_t origin_ns_;
  std::string process_;
  // One per step of the plan: what comes before the lane of a tile, and what after its times.
  std::vector<std::string> before_;
  std::vector<std::string> after_;
  // Arrows are numbered by the step in which they end.
  std::vector<int> first_arrow_;  // one per step
  std::vector<int> arrow_ends_;   // one an arrow
  Lists leaving_;                 // one per step: the arrows that start there
  std::uint64_t next_arrow_ = 0;  // of the next run
  LiveBytes live_;
};

}  // namespace gradmill
