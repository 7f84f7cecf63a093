#include <gradmill/runtime/threads/workers.h>

#include <mutex>
#include <optional>
#include <set>

#include <tbb/global_control.h>
#include <tbb/task_scheduler_observer.h>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>
#include <gradmill/runtime/threads/held_signals.h>
#include <gradmill/runtime/threads/sequential_onednn.h>
#include <gradmill/runtime/threads/short_slice.h>

namespace gradmill {

// Of several limits oneTBB takes the lowest, so the sessions of a process share one, the highest.
class Workers::Limit {
 public:
  explicit Limit(int threads) : threads_(threads) {
    const std::lock_guard lock(mutex());
    demands().insert(threads_);
    apply();
    const auto active =
        tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
    if (active < static_cast<std::size_t>(threads_)) {
      log(LogLevel::warn, cat(threads_,
                              " threads asked for, but the program's own "
                              "tbb::global_control allows ",
                              active));
    }
  }
  ~Limit() {
    const std::lock_guard lock(mutex());
    demands().erase(demands().find(threads_));
    apply();
  }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static std::multiset<int>& demands() {
    static std::multiset<int> instance;
    return instance;
  }
  static void apply() {
    static std::optional<tbb::global_control> control;
    control.reset();
    const auto by_default =
        tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
    if (demands().empty()) return;
    const auto highest = static_cast<std::size_t>(*demands().rbegin());
    if (highest > by_default) {
      control.emplace(tbb::global_control::max_allowed_parallelism, highest);
    }
  }

  int threads_;
};

class Workers::Entry : public tbb::task_scheduler_observer {
 public:
  explicit Entry(tbb::task_arena& arena) : tbb::task_scheduler_observer(arena) { observe(true); }
  ~Entry() override { observe(false); }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  // The calling thread pins itself, so that its own setting is back when `run` returns.
  void on_scheduler_entry(bool is_worker) override {
    if (is_worker) guard().emplace();
  }
  void on_scheduler_exit(bool is_worker) override {
    if (is_worker) guard().reset();
  }

 private:
  struct Guard {
    HeldSignals held;
    ShortSlice slice;
    SequentialOneDnn sequential;
  };
  static std::optional<Guard>& guard() {
    thread_local std::optional<Guard> instance;
    return instance;
  }
};

// High priority, since oneTBB has one pool of workers for all arenas: a program's own loop on every
// core would otherwise keep them, and leave a step to its caller alone.
Workers::Workers(int threads)
    : threads_(threads),
      limit_(std::make_unique<Limit>(threads)),
      arena_(threads, 1, tbb::task_arena::priority::high) {
  check(threads >= 1, "threads: at least 1 is needed, got ", threads);
  arena_.initialize();
  entry_ = std::make_unique<Entry>(arena_);
}

Workers::~Workers() = default;

}  // namespace gradmill
