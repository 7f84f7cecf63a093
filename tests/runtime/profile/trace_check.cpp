#include "trace_check.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <sstream>
#include <vector>

namespace gradmill {
namespace {

using Json = nlohmann::json;

constexpr int kThreadsOfSession = 2000;
constexpr double kNanosecond = 1e-3;  // in the microseconds of the file
// Sums of times with three digits behind the point are as exact as a double.
constexpr double kRounding = 1e-5;

struct Span {
  double begin;
  double end;
};

struct Arrow {
  std::vector<std::pair<int, double>> begins;  // thread and time
  std::vector<std::pair<int, double>> ends;
};

bool inside(const std::vector<Span>& spans, double time) {
  return std::ranges::any_of(spans, [&](const Span& span) {
    return time >= span.begin - kRounding && time <= span.end + kRounding;
  });
}

void check_lane(int thread, std::vector<Span> spans) {
  std::ranges::sort(spans, {}, &Span::begin);
  double busy = 0;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    busy += spans[i].end - spans[i].begin;
    if (i == 0) continue;
    EXPECT_GE(spans[i].begin, spans[i - 1].end - kRounding) << "events overlap on lane " << thread;
  }
  if (spans.empty()) return;
  EXPECT_LE(busy,
            spans.back().end - spans.front().begin + kRounding * static_cast<double>(spans.size()));
}

}  // namespace

std::map<int, SessionEvents> check_trace(const Json& events) {
  std::map<int, SessionEvents> sessions;
  std::map<int, std::vector<Span>> lanes;  // by thread
  std::map<std::pair<int, std::uint64_t>, Span> steps;
  std::map<std::pair<int, std::uint64_t>, std::vector<Span>> tiles;
  std::map<std::string, Arrow> arrows;
  std::map<int, double> latest;  // by session
  EXPECT_TRUE(events.is_array());
  std::set<std::int64_t> processes;
  for (const Json& event : events) {
    const std::string kind = event.at("ph");
    const std::string name = event.at("name");
    processes.insert(event.at("pid").get<std::int64_t>());
    if (kind == "M") {
      if (name == "thread_name") {
        const int thread = event.at("tid");
        sessions[thread / kThreadsOfSession].lanes[thread] = event.at("args").at("name");
      }
      continue;
    }
    const double time = event.at("ts");
    int session = 0;
    if (kind == "C") {
      std::istringstream words(name);
      std::string word;
      words >> word >> session >> word;
      const double value = event.at("args").at("value");
      EXPECT_GE(value, 0);
      double& most =
          word == "running" ? sessions[session].most_running : sessions[session].most_live_bytes;
      EXPECT_TRUE(word == "running" || word == "live") << name;
      most = std::max(most, value);
    } else {
      session = event.at("tid").get<int>() / kThreadsOfSession;
    }
    SessionEvents& own = sessions[session];
    EXPECT_GE(time, latest[session] - kRounding) << event;
    latest[session] = time;
    if (kind == "C") continue;
    const int thread = event.at("tid");
    if (kind == "X") {
      const double end = time + event.at("dur").get<double>();
      EXPECT_GE(end, time);
      lanes[thread].push_back({time, end});
      const Json& args = event.at("args");
      const std::uint64_t run = args.at("run");
      if (event.at("cat") == "step") {
        ++own.steps;
        steps[{session, run}] = {time, end};
        continue;
      }
      for (const char* key : {"op", "phase", "shape"}) EXPECT_TRUE(args.at(key).is_string()) << key;
      EXPECT_EQ(args.at("phase"), event.at("cat"));
      EXPECT_LT(args.at("tile").get<std::int64_t>(), args.at("tiles").get<std::int64_t>());
      EXPECT_GE(args.at("bytes").get<double>(), 0);
      ++own.tiles[thread];
      ++own.run_tiles[run];
      own.run_flops[run] += args.at("flops").get<double>();
      tiles[{session, run}].push_back({time, end});
    } else if (kind == "s" || kind == "f") {
      Arrow& arrow = arrows[event.at("id").get<std::string>()];
      (kind == "s" ? arrow.begins : arrow.ends).emplace_back(thread, time);
      if (kind == "s") ++own.arrows;
    } else if (kind == "i" && name == "dropped") {
      own.dropped_runs += event.at("args").at("runs").get<std::uint64_t>();
    } else {
      EXPECT_EQ(kind, "i") << event;
      ++own.markers;
    }
  }
  EXPECT_EQ(processes.size(), 1U);
  for (const auto& [thread, spans] : lanes) {
    check_lane(thread, spans);
    EXPECT_TRUE(sessions[thread / kThreadsOfSession].lanes.contains(thread)) << thread;
  }
  for (const auto& [id, arrow] : arrows) {
    EXPECT_EQ(arrow.begins.size(), 1U) << id;
    EXPECT_EQ(arrow.ends.size(), 1U) << id;
    if (arrow.begins.size() != 1 || arrow.ends.size() != 1) continue;
    const auto& [from, left] = arrow.begins.front();
    const int to = arrow.ends.front().first;
    const double arrived = arrow.ends.front().second;
    EXPECT_LE(left, arrived + kRounding) << id;
    EXPECT_TRUE(inside(lanes[from], left)) << id;
    EXPECT_TRUE(std::ranges::any_of(lanes[to], [&](const Span& span) {
      return std::abs(span.begin - arrived) < kNanosecond;
    })) << id;
  }
  for (const auto& [run, spans] : tiles) {
    const auto step = steps.find(run);
    EXPECT_NE(step, steps.end());
    if (step == steps.end()) continue;
    for (const Span& span : spans) {
      EXPECT_GE(span.begin, step->second.begin - kRounding);
      EXPECT_LE(span.end, step->second.end + kRounding);
    }
  }
  return sessions;
}

std::string read_inflated(const std::string& path) {
  std::string text;
  gzFile file = gzopen(path.c_str(), "rb");
  EXPECT_NE(file, nullptr) << path;
  if (file == nullptr) return text;
  std::array<char, 65536> buffer;
  for (int count; (count = gzread(file, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  gzclose_r(file);
  return text;
}

Json read_trace(const std::string& path) {
  const std::string text = read_inflated(path);
  const Json events = Json::parse(text);
  EXPECT_EQ(std::ranges::count(text, '\n'), static_cast<std::ptrdiff_t>(events.size()) + 2)
      << "an event a line, and two brackets";
  return events;
}

}  // namespace gradmill
