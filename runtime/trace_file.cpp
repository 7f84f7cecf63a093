#include <gradmill/runtime/trace_file.h>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/io/text_sink.h>
#include <gradmill/runtime/log.h>
#include <gradmill/runtime/threads/held_signals.h>
#include <gradmill/runtime/trace/tile_recorder.h>
#include <gradmill/runtime/trace/trace_format.h>

namespace gradmill {
namespace {

constexpr const char* kVariable = "GRADMILL_TRACE";
constexpr std::size_t kBlock = std::size_t{256} << 10U;  // bytes written at once
constexpr std::chrono::milliseconds kFlushEvery{100};
// Formatting gives way to training, but not for ever: what waits is bounded.
constexpr int kNice = 10;

struct Dropped {
  std::uint64_t runs = 0;
  std::uint64_t tiles = 0;
};

}  // namespace

struct TraceFile::Impl {
  Impl(std::string name, std::size_t limit)
      : path(std::move(name)), max_waiting(limit), sink(path) {
    text = TraceFormat::head();
    const HeldSignals held;  // the program's handlers run on its own threads
    writer = std::thread([this] { write_all(); });
  }

  struct Session {
    // The writer's alone; gone once the session has ended and its last run is written.
    std::unique_ptr<TraceFormat> format;
    bool ended = false;
    Dropped dropped = {};  // and not yet said
  };

  bool urgent() const { return waiting_tiles > max_waiting / 4; }
  void write_all();
  void write_runs(const std::vector<Session*>& known, std::size_t& named);
  void write_text() {
    if (!failure && !text.empty()) attempt([&] { sink.write(text); });
    text.clear();
  }
  template <class Write>
  void attempt(Write&& write) {
    try {
      write();
    } catch (const std::exception& error) {
      failure = error.what();
      log(LogLevel::error, cat("trace: ", error.what(), "; nothing more is written there"));
    }
  }

  std::string path;
  std::size_t max_waiting;
  const std::int64_t origin = trace_now();

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Session> sessions;  // stay where they are
  std::deque<std::pair<int, TracedRun>> waiting;
  std::size_t waiting_tiles = 0;  // also of those that are being written
  Dropped dropped;                // of all sessions
  bool closing = false;

  // The writer's until it has ended.
  TextSink sink;
  std::deque<std::pair<int, TracedRun>> taken;
  std::string text;
  std::optional<std::string> failure;

  std::thread writer;
};

// What was taken, and what was dropped meanwhile. Without the lock, since formatting takes its
// time.
void TraceFile::Impl::write_runs(const std::vector<Session*>& known, std::size_t& named) {
  for (; named < known.size(); ++named) text += known[named]->format->names();
  for (const auto& [session, run] : taken) {
    if (failure) return;
    known[static_cast<std::size_t>(session - 1)]->format->append(text, run);
    if (text.size() >= kBlock) write_text();
  }
  for (Session* session : known) {
    if (session->format == nullptr) continue;
    std::unique_lock lock(mutex);
    const Dropped lost = std::exchange(session->dropped, {});
    lock.unlock();
    if (lost.runs > 0) {
      session->format->append_dropped(text, lost.runs, lost.tiles, trace_now());
    }
  }
}

void TraceFile::Impl::write_all() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
  std::vector<Session*> known;
  std::vector<Session*> ended;
  for (std::size_t named = 0;;) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, kFlushEvery, [&] { return closing || urgent(); });
    const bool last = closing;
    std::swap(taken, waiting);
    // A session ends after its last run was given.
    ended.clear();
    for (std::size_t i = known.size(); i < sessions.size(); ++i) known.push_back(&sessions[i]);
    for (Session* session : known) {
      if (session->ended && session->format != nullptr) ended.push_back(session);
    }
    lock.unlock();

    attempt([&] { write_runs(known, named); });
    named = known.size();
    if (!text.empty() || last) {
      write_text();
      if (!failure) attempt([&] { sink.flush(); });
    }
    for (Session* session : ended) session->format.reset();
    lock.lock();
    for (const auto& [session, run] : taken) waiting_tiles -= run.tiles.size();
    lock.unlock();
    taken.clear();
    if (last) return;
  }
}

TraceFile::TraceFile(const std::string& path, std::size_t max_waiting)
    : impl_(std::make_unique<Impl>(path, max_waiting)) {}

TraceFile::~TraceFile() {
  try {
    close();
  } catch (const std::exception&) {
    // It was logged when it happened.
  }
}

std::shared_ptr<TraceFile> TraceFile::of_environment() {
  static const std::shared_ptr<TraceFile> instance = []() -> std::shared_ptr<TraceFile> {
    const char* value = std::getenv(kVariable);
    if (value == nullptr || *value == '\0') return nullptr;
    std::string path = value;
    const std::string process = std::to_string(getpid());
    for (std::size_t at = 0; (at = path.find("%p", at)) != std::string::npos;) {
      path.replace(at, 2, process);
      at += process.size();
    }
    try {
      return std::make_shared<TraceFile>(path);
    } catch (const Error& error) {
      log(LogLevel::error, cat(kVariable, ": ", error.what(), "; nothing is traced"));
      return nullptr;
    }
  }();
  return instance;
}

const std::string& TraceFile::path() const { return impl_->path; }

void TraceFile::close() {
  Impl& impl = *impl_;
  if (impl.writer.joinable()) {
    {
      const std::lock_guard lock(impl.mutex);
      impl.closing = true;
    }
    impl.changed.notify_one();
    impl.writer.join();
    if (impl.dropped.runs > 0) {
      log(LogLevel::warn, cat("trace: ", impl.path, " lacks ", impl.dropped.runs, " steps with ",
                              impl.dropped.tiles, " tiles, which came faster than it was written"));
    }
    if (!impl.failure) {
      impl.attempt([&] {
        impl.sink.write(TraceFormat::tail());
        impl.sink.close();
      });
    }
  }
  if (impl.failure) throw Failure(cat("trace: ", *impl.failure));
}

int TraceFile::add_session(std::shared_ptr<const Plan> plan, int lanes) {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  const int number = static_cast<int>(impl.sessions.size()) + 1;
  impl.sessions.push_back(
      {std::make_unique<TraceFormat>(std::move(plan), lanes, number, impl.origin)});
  return number;
}

void TraceFile::end_session(int session) {
  const std::lock_guard lock(impl_->mutex);
  impl_->sessions[static_cast<std::size_t>(session - 1)].ended = true;
}

void TraceFile::add_run(int session, TracedRun run) {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  if (impl.closing) return;
  if (impl.waiting_tiles + run.tiles.size() > impl.max_waiting) {
    for (Dropped* dropped :
         {&impl.dropped, &impl.sessions[static_cast<std::size_t>(session - 1)].dropped}) {
      ++dropped->runs;
      dropped->tiles += run.tiles.size();
    }
    return;
  }
  impl.waiting_tiles += run.tiles.size();
  impl.waiting.emplace_back(session, std::move(run));
  // A writer that wakes for every step would take a worker's place each time.
  if (impl.urgent()) impl.changed.notify_one();
}

void write_trace(const Trace& trace, const std::string& path) {
  check(trace.plan != nullptr, "write_trace: the trace has no plan");
  TextSink sink(path);
  const std::int64_t origin = trace.runs.empty() ? trace_now() : trace.runs.front().begin_ns;
  TraceFormat format(trace.plan, trace.lanes, 1, origin);
  std::string text = TraceFormat::head() + format.names();
  for (const TracedRun& run : trace.runs) {
    format.append(text, run);
    if (text.size() < kBlock) continue;
    sink.write(text);
    text.clear();
  }
  if (trace.dropped_runs > 0) {
    const std::int64_t end = trace.runs.empty() ? origin : trace.runs.back().end_ns;
    format.append_dropped(text, trace.dropped_runs, trace.dropped_tiles, end);
  }
  sink.write(text + TraceFormat::tail());
  sink.close();
}

}  // namespace gradmill
