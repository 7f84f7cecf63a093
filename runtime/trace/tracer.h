#pragma once

// What a session's runs are watched for.

#include <cstdint>
#include <memory>
#include <optional>

#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/trace.h>
#include <gradmill/runtime/trace/tile_recorder.h>
#include <gradmill/runtime/trace_file.h>

namespace gradmill {

/// Runs an executor, and where somebody wants to know, records when its tiles ran: for a trace in
/// memory, for a file, for the log at its level "trace". Not for two threads at once.
class Tracer {
 public:
  /// `file` may be null.
  Tracer(std::shared_ptr<const Plan> plan, Executor& executor, std::shared_ptr<TraceFile> file);

  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  /// As `Executor::run`. A run that fails is recorded as well.
  void run(const StepInfo& info);

  /// Throws Error when it was started already.
  void start(const TraceOptions& options);
  /// What was recorded since; throws Error unless it was started.
  const Trace& recorded() const;
  Trace stop();

 private:
  bool watched() const;
  void record(TracedRun run);
  void log_steps(const TracedRun& run) const;

  std::shared_ptr<const Plan> plan_;
  Executor& executor_;
  std::shared_ptr<TraceFile> file_;
  int session_ = 0;  // of the file
  std::uint64_t runs_ = 0;
  std::unique_ptr<TileRecorder> recorder_;  // made when first needed
  std::optional<Trace> trace_;
  std::size_t max_tiles_ = 0;
  std::size_t tiles_ = 0;  // of the trace
};

}  // namespace gradmill
