#include <gradmill/runtime/trace/trace_format.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <utility>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/trace/step_spans.h>

namespace gradmill {
namespace {

// Tiles that follow each other on a worker leave the number of running ones as it is.
constexpr std::int64_t kGapNs = 2000;

template <class Number>
void append_number(std::string& text, Number number) {
  std::array<char, 32> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  text.append(digits.data(), end);
}

// With the nanoseconds behind the point.
void append_microseconds(std::string& text, std::int64_t ns) {
  append_number(text, ns / 1000);
  const auto rest = static_cast<int>(ns % 1000);
  text += '.';
  text += static_cast<char>('0' + rest / 100);
  text += static_cast<char>('0' + rest / 10 % 10);
  text += static_cast<char>('0' + rest % 10);
}

// With quotes. Bytes that are no UTF-8 become U+FFFD.
std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string metadata(const char* what, int thread, const std::string& value) {
  return cat(",\n{\"ph\":\"M\",\"name\":\"", what, "\",\"pid\":", getpid(), ",\"tid\":", thread,
             ",\"args\":{", value, "}}");
}

// What happens to a tile. Of what happens at the same time, the least comes first: an end makes
// room for a begin, and a tile that takes no time begins before it ends.
enum class Happens : std::uint8_t { end, begin_empty, leave_empty, end_empty, begin, leave };

struct Moment {
  std::int64_t ns;
  Happens what;
  int tile;  // which of the run's
};

std::vector<Moment> moments_of(const TracedRun& run, const std::vector<StepSpan>& spans) {
  std::vector<Moment> moments;
  moments.reserve(2 * run.tiles.size() + spans.size());
  for (int i = 0; i < static_cast<int>(run.tiles.size()); ++i) {
    const TracedTile& tile = run.tiles[static_cast<std::size_t>(i)];
    const bool empty = tile.begin_ns == tile.end_ns;
    moments.push_back({tile.begin_ns, empty ? Happens::begin_empty : Happens::begin, i});
    moments.push_back({tile.end_ns, empty ? Happens::end_empty : Happens::end, i});
    if (spans[static_cast<std::size_t>(tile.step)].last != i) continue;
    // Inside the tile: its very end belongs to the next one on the lane.
    moments.push_back(
        {empty ? tile.end_ns : tile.end_ns - 1, empty ? Happens::leave_empty : Happens::leave, i});
  }
  std::ranges::sort(moments, {}, [](const Moment& m) { return std::tuple(m.ns, m.what, m.tile); });
  return moments;
}

}  // namespace

TraceFormat::TraceFormat(std::shared_ptr<const Plan> plan, int lanes, int session,
                         std::int64_t origin_ns)
    : plan_(std::move(plan)),
      lanes_(lanes),
      session_(session),
      origin_ns_(origin_ns),
      process_(std::to_string(getpid())),
      live_(*plan_) {
  std::vector<std::pair<int, int>> leaving;
  for (std::size_t i = 0; i < plan_->steps.size(); ++i) {
    const PlanStep& step = plan_->steps[i];
    const auto tiles = static_cast<double>(step.tiles);
    before_.push_back(cat(",\n{\"ph\":\"X\",\"name\":", json_text(step.name), ",\"cat\":\"",
                          to_string(step.phase), "\",\"pid\":", process_, ",\"tid\":"));
    std::string after =
        cat(",\"args\":{\"op\":", json_text(step.op), ",\"phase\":\"", to_string(step.phase),
            "\",\"shape\":", json_text(step.shapes), ",\"node\":", i, ",\"flops\":");
    append_number(after, step.flops / tiles);
    after += ",\"bytes\":";
    append_number(after, step.bytes_moved / tiles);
    after += cat(",\"tiles\":", step.tiles, ",\"tile\":");
    after_.push_back(std::move(after));
    first_arrow_.push_back(static_cast<int>(arrow_ends_.size()));
    for (const int p : step.predecessors) {
      leaving.emplace_back(p, static_cast<int>(arrow_ends_.size()));
      arrow_ends_.push_back(static_cast<int>(i));
    }
  }
  leaving_ = Lists(leaving, plan_->steps.size());
}

std::string TraceFormat::head() {
  return cat("[\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":", getpid(),
             ",\"args\":{\"name\":", json_text(cat("gradmill in ", program_invocation_short_name)),
             "}}");
}

std::string TraceFormat::names() const {
  std::string text;
  for (int lane = -1; lane < lanes_; ++lane) {
    const int thread = thread_of(lane);
    const std::string name = lane < 0 ? "steps" : cat("worker ", lane);
    text += metadata("thread_name", thread,
                     cat("\"name\":", json_text(cat("session ", session_, " ", name))));
    text += metadata("thread_sort_index", thread, cat("\"sort_index\":", thread));
  }
  return text;
}

void TraceFormat::append_time(std::string& text, std::int64_t ns) const {
  append_microseconds(text, ns - origin_ns_);
}

void TraceFormat::append_tile(std::string& text, const TracedRun& run,
                              const TracedTile& tile) const {
  const auto step = static_cast<std::size_t>(tile.step);
  text += before_[step];
  append_number(text, thread_of(tile.lane));
  text += ",\"ts\":";
  append_time(text, tile.begin_ns);
  text += ",\"dur\":";
  append_microseconds(text, tile.end_ns - tile.begin_ns);
  text += after_[step];
  append_number(text, tile.tile);
  text += ",\"run\":";
  append_number(text, run.number);
  text += "}}";
}

void TraceFormat::append_arrow(std::string& text, char end, std::uint64_t id, std::int64_t ns,
                               int lane) const {
  text += ",\n{\"ph\":\"";
  text += end;
  text += "\",\"name\":\"needs\",\"cat\":\"dependency\",\"id\":\"";
  append_number(text, session_);
  text += '.';
  append_number(text, id);
  text += end == 'f' ? "\",\"bp\":\"e\",\"pid\":" : "\",\"pid\":";
  text += process_;
  text += ",\"tid\":";
  append_number(text, thread_of(lane));
  text += ",\"ts\":";
  append_time(text, ns);
  text += '}';
}

void TraceFormat::append_counter(std::string& text, const char* name, std::int64_t ns,
                                 std::uint64_t value) const {
  text += ",\n{\"ph\":\"C\",\"name\":\"session ";
  append_number(text, session_);
  text += ' ';
  text += name;
  text += "\",\"pid\":";
  text += process_;
  text += ",\"ts\":";
  append_time(text, ns);
  text += ",\"args\":{\"value\":";
  append_number(text, value);
  text += "}}";
}

void TraceFormat::append_step(std::string& text, const TracedRun& run) const {
  const auto begin = [&](const char* kind) {
    text +=
        cat(",\n{\"ph\":\"", kind, "\",\"name\":\"step ", run.number, run.failed ? " (failed)" : "",
            "\",\"cat\":\"step\",\"pid\":", process_, ",\"tid\":", thread_of(-1), ",\"ts\":");
    append_time(text, run.begin_ns);
  };
  begin("i");
  text += ",\"s\":\"p\"}";
  begin("X");
  text += ",\"dur\":";
  append_microseconds(text, run.end_ns - run.begin_ns);
  text += cat(",\"args\":{\"run\":", run.number, "}}");
}

void TraceFormat::append(std::string& text, const TracedRun& run) {
  append_step(text, run);
  const std::vector<StepSpan> spans = step_spans(*plan_, run);
  const std::vector<Moment> moments = moments_of(run, spans);
  const auto at = [](int index) { return static_cast<std::size_t>(index); };
  // In a run that failed some steps are missing, or some of their tiles.
  const auto complete = [&](int step) {
    return spans[at(step)].tiles == plan_->steps[at(step)].tiles;
  };
  const auto begin = [&](const Moment& moment, const TracedTile& tile) {
    append_tile(text, run, tile);
    if (moment.tile != spans[at(tile.step)].first) return;
    live_.begin(tile.step);
    std::uint64_t arrow = next_arrow_ + static_cast<std::uint64_t>(first_arrow_[at(tile.step)]);
    for (const int p : plan_->steps[at(tile.step)].predecessors) {
      if (complete(p)) append_arrow(text, 'f', arrow, moment.ns, tile.lane);
      ++arrow;
    }
  };
  const auto leave = [&](const Moment& moment, const TracedTile& tile) {
    if (!complete(tile.step)) return;
    for (const int arrow : leaving_[tile.step]) {
      if (spans[at(arrow_ends_[at(arrow)])].first < 0) continue;
      append_arrow(text, 's', next_arrow_ + static_cast<std::uint64_t>(arrow), moment.ns,
                   tile.lane);
    }
  };

  live_.reset();
  std::uint64_t running = 0;
  std::uint64_t shown_running = 0;
  std::uint64_t shown_bytes = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const Moment& moment = moments[i];
    const TracedTile& tile = run.tiles[at(moment.tile)];
    switch (moment.what) {
      case Happens::begin:
      case Happens::begin_empty:
        ++running;
        begin(moment, tile);
        break;
      case Happens::leave:
      case Happens::leave_empty: leave(moment, tile); break;
      case Happens::end:
      case Happens::end_empty:
        --running;
        if (moment.tile == spans[at(tile.step)].last) live_.end(tile.step);
        break;
    }
    if (live_.bytes() != std::exchange(shown_bytes, live_.bytes())) {
      append_counter(text, "live bytes", moment.ns, live_.bytes());
    }
    const std::int64_t until = i + 1 < moments.size() ? moments[i + 1].ns : moment.ns + kGapNs;
    if (until - moment.ns >= kGapNs && running != std::exchange(shown_running, running)) {
      append_counter(text, "running tiles", moment.ns, running);
    }
  }
  next_arrow_ += arrow_ends_.size();
}

void TraceFormat::append_dropped(std::string& text, std::uint64_t runs, std::uint64_t tiles,
                                 std::int64_t now_ns) const {
  text +=
      cat(",\n{\"ph\":\"i\",\"name\":\"dropped\",\"cat\":\"step\",\"s\":\"p\",\"pid\":", process_,
          ",\"tid\":", thread_of(-1), ",\"ts\":");
  append_time(text, now_ns);
  text += cat(",\"args\":{\"runs\":", runs, ",\"tiles\":", tiles, "}}");
}

}  // namespace gradmill
