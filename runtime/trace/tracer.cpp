#include <gradmill/runtime/trace/tracer.h>

#include <iomanip>
#include <set>
#include <sstream>
#include <utility>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>
#include <gradmill/runtime/trace/step_spans.h>

namespace gradmill {

Tracer::Tracer(std::shared_ptr<const Plan> plan, Executor& executor,
               std::shared_ptr<TraceFile> file)
    : plan_(std::move(plan)), executor_(executor), file_(std::move(file)) {
  if (file_ != nullptr) session_ = file_->add_session(plan_, executor_.lanes());
}

Tracer::~Tracer() {
  if (file_ != nullptr) file_->end_session(session_);
}

bool Tracer::watched() const { return trace_ || file_ != nullptr || log_enabled(LogLevel::trace); }

void Tracer::run(const StepInfo& info) {
  const std::uint64_t number = runs_++;
  if (!watched()) return executor_.run(info);
  if (recorder_ == nullptr) {
    std::size_t tiles = 0;
    for (const PlanStep& step : plan_->steps) tiles += static_cast<std::size_t>(step.tiles);
    recorder_ = std::make_unique<TileRecorder>(executor_.lanes(), tiles);
  }
  TracedRun run{.number = number, .begin_ns = trace_now()};
  const auto end = [&] {
    run.end_ns = trace_now();
    run.tiles = recorder_->take();
    record(std::move(run));
  };
  try {
    executor_.run(info, recorder_.get());
  } catch (...) {
    run.failed = true;
    end();
    throw;
  }
  end();
}

void Tracer::record(TracedRun run) {
  if (log_enabled(LogLevel::trace)) log_steps(run);
  if (trace_) {
    if (tiles_ + run.tiles.size() > max_tiles_) {
      ++trace_->dropped_runs;
      trace_->dropped_tiles += run.tiles.size();
    } else {
      tiles_ += run.tiles.size();
      trace_->runs.push_back(run);
    }
  }
  if (file_ != nullptr) file_->add_run(session_, std::move(run));
}

void Tracer::log_steps(const TracedRun& run) const {
  const std::vector<StepSpan> spans = step_spans(*plan_, run);
  std::vector<std::set<int>> lanes(spans.size());
  for (const TracedTile& tile : run.tiles) {
    lanes[static_cast<std::size_t>(tile.step)].insert(tile.lane);
  }
  const auto ms = [](std::int64_t ns) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(3) << static_cast<double>(ns) * 1e-6;
    return std::move(text).str();
  };
  log(LogLevel::trace, cat("step ", run.number, run.failed ? " failed after " : " took ",
                           ms(run.end_ns - run.begin_ns), " ms"));
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].tiles == 0) continue;
    const std::int64_t begin = run.tiles[static_cast<std::size_t>(spans[i].first)].begin_ns;
    const std::int64_t end = run.tiles[static_cast<std::size_t>(spans[i].last)].end_ns;
    const PlanStep& step = plan_->steps[i];
    std::string workers;
    for (const int lane : lanes[i]) workers += cat(workers.empty() ? " " : ", ", lane);
    log(LogLevel::trace,
        cat("step ", run.number, ": ", to_string(step.phase), " ", step.op, " '", step.name,
            "' began at ", ms(begin - run.begin_ns), " ms, took ", ms(end - begin), " ms, ",
            step.tiles, step.tiles == 1 ? " tile" : " tiles", ", worker", workers));
  }
}

void Tracer::start(const TraceOptions& options) {
  check(!trace_, "start_trace: a trace was started already; stop_trace ends it");
  trace_ = Trace{.plan = plan_, .lanes = executor_.lanes()};
  max_tiles_ = options.max_tiles;
  tiles_ = 0;
}

const Trace& Tracer::recorded() const {
  check(trace_.has_value(), "stop_trace: no trace was started; start_trace does");
  return *trace_;
}

Trace Tracer::stop() {
  recorded();
  return *std::exchange(trace_, std::nullopt);
}

}  // namespace gradmill
