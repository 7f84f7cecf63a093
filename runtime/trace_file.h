#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <gradmill/runtime/trace.h>

namespace gradmill {

/// A file that the runs of sessions are written to while the program goes on: Trace Event JSON for
/// Perfetto and chrome://tracing, one event per line, compressed where the name ends in ".gz".
///
/// Every session has lanes of its own in it: one for its steps, and one per worker, with one event
/// per tile (node, op, phase, shape, FLOPs, bytes), arrows along the dependencies, and counters of
/// the tiles that run and of the bytes alive in the plan's arena. A thread of low priority formats
/// and writes; runs wait for it in bounded memory, and those that find no room are dropped, which
/// the file says. It can be read at any time, also when the process was killed: then it lacks its
/// tail.
class GRADMILL_API TraceFile {
 public:
  /// At most `max_waiting` tiles wait to be written, 32 bytes each. Creates or empties the file.
  /// Throws Error naming path and reason when it cannot.
  explicit TraceFile(const std::string& path, std::size_t max_waiting = std::size_t{1} << 20U);
  /// Closes it; what fails then is logged.
  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  /// The one that the environment variable GRADMILL_TRACE names, in which "%p" stands for the
  /// process's number; null when there is none, or when it cannot be created, which is logged.
  /// Closed when the program ends by returning from `main` or by `exit`.
  static std::shared_ptr<TraceFile> of_environment();

  const std::string& path() const;

  /// Writes what waits, and ends the file. Later runs are not traced. Throws Failure when the
  /// system refused any part of it.
  void close();

  // Used by sessions.

  /// A new session: its number, from 1.
  int add_session(std::shared_ptr<const Plan> plan, int lanes);
  /// No run of it will follow: what the file knows of its plan may go.
  void end_session(int session);
  /// Takes a run to be written; waits for nothing but a short lock.
  void add_run(int session, TracedRun run);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes a trace as `TraceFile` does. Throws Error when the file cannot be created or the trace
/// has no plan, Failure when the system refuses to write all of it.
GRADMILL_API void write_trace(const Trace& trace, const std::string& path);

}  // namespace gradmill
