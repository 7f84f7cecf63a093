// Profiles of traces made by hand, whose figures can be told; and of a session, as JSON and text.

#include <gmock/gmock.h>
#include <gradmill/gradmill.h>
#include <gradmill/runtime/profile.h>
#include <gradmill/runtime/profile/tile_times.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "graph/programs.h"
#include "report/report.h"
#include "synthetic.h"

namespace gradmill {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<double> predicted(const SyntheticPlan& plan, const TracedRun& run,
                              ProfileOptions options) {
  const Profile profile =
      make_profile({.plan = plan.shared(), .lanes = 1, .runs = {run}}, std::move(options));
  std::vector<double> ms;
  for (const Prediction& p : profile.scaling.predictions) ms.push_back(p.ms);
  return ms;
}

// All tiles one after the other on one thread, as one worker runs them.
TracedRun serial_run(const std::vector<std::pair<int, std::vector<double>>>& steps) {
  std::vector<TracedTile> tiles;
  double now = 0;
  for (const auto& [step, times] : steps) {
    for (std::size_t tile = 0; tile < times.size(); ++tile) {
      tiles.push_back(tile_at(0, step, static_cast<int>(tile), now, now + times[tile]));
      now += times[tile];
    }
  }
  return run_of(tiles, now);
}

MATCHER_P(Takes, ms, "") { return std::abs(arg - ms) < 1e-9; }

TEST(Prediction, OfAChainIsItsSum) {
  SyntheticPlan plan;
  plan.step("a", 1, {});
  plan.step("b", 1, {0});
  plan.step("c", 1, {1});
  EXPECT_THAT(predicted(plan, serial_run({{0, {1}}, {1, {2}}, {2, {4}}}), {.workers = {1, 2, 128}}),
              ElementsAre(Takes(7.0), Takes(7.0), Takes(7.0)));
}

TEST(Prediction, OfAFanOutIsItsRounds) {
  SyntheticPlan plan;
  plan.step("before", 1, {});
  plan.step("tiles", 10, {0});
  plan.step("behind", 1, {1});
  const TracedRun run = serial_run({{0, {1}}, {1, std::vector<double>(10, 3)}, {2, {2}}});
  EXPECT_THAT(predicted(plan, run, {.workers = {1, 2, 4, 10, 128}}),
              ElementsAre(Takes(33.0), Takes(18.0), Takes(12.0), Takes(6.0), Takes(6.0)));
  // A quarter of a millisecond of dispatch a tile, where there is any: one after another, five.
  EXPECT_THAT(predicted(plan, run, {.dispatch_ms = 0.25, .workers = {1, 4}}),
              ElementsAre(Takes(33.0), Takes(12 + 5 * 0.25)));
}

TEST(Prediction, OfADiamondIsItsLongerSide) {
  SyntheticPlan plan;
  plan.step("top", 1, {});
  plan.step("left", 1, {0});
  plan.step("right", 1, {0});
  plan.step("bottom", 1, {1, 2});
  EXPECT_THAT(
      predicted(plan, serial_run({{0, {1}}, {1, {2}}, {2, {5}}, {3, {3}}}), {.workers = {1, 2, 3}}),
      ElementsAre(Takes(11.0), Takes(9.0), Takes(9.0)));
}

TEST(Prediction, OfUnevenTilesIsTheLastToEnd) {
  SyntheticPlan plan;
  plan.step("tiles", 4, {});
  // In their order: 4 | 1 1 5 on two workers; 4 | 1 5 | 1 on three.
  EXPECT_THAT(predicted(plan, serial_run({{0, {4, 1, 1, 5}}}), {.workers = {1, 2, 3, 4}}),
              ElementsAre(Takes(11.0), Takes(7.0), Takes(6.0), Takes(5.0)));
}

TEST(Prediction, TilesBesideOthersAreSlower) {
  SyntheticPlan plan;
  plan.step("tiles", 8, {});
  const TracedRun run = serial_run({{0, std::vector<double>(8, 3)}});
  // Two together do 1.5 times what one does.
  EXPECT_THAT(predicted(plan, run, {.workers = {1, 2}, .compute_rates = {{1, 10}, {2, 15}}}),
              ElementsAre(Takes(24.0), Takes(12 / 0.75)));
  // A half of the data is elsewhere, then three quarters.
  EXPECT_THAT(predicted(plan, run, {.workers = {1, 2, 4}, .migration = 1.2}),
              ElementsAre(Takes(24.0), Takes(12 * 1.1), Takes(6 * 1.15)));
}

TEST(Prediction, IsNoFasterThanItsBytes) {
  SyntheticPlan plan;
  plan.step("tiles", 4, {});
  plan.plan().steps[0].bytes_moved = 30e6;
  EXPECT_THAT(predicted(plan, serial_run({{0, {2, 2, 2, 2}}}),
                        {.workers = {1, 2, 4}, .bandwidth_cap_gbs = 10}),
              ElementsAre(Takes(8.0), Takes(4.0), Takes(3.0)));
}

TEST(TileTimes, AreMediansThatAddUpToTheMedianOfTheSums) {
  SyntheticPlan plan;
  plan.step("a", 2, {});
  // The second tile is disturbed once; sums 3, 8, 4.
  const Trace trace{
      .plan = plan.shared(),
      .lanes = 1,
      .runs = {serial_run({{0, {1, 2}}}), serial_run({{0, {1, 7}}}), serial_run({{0, {2, 2}}})}};
  const std::vector<ReplayStep> steps = tile_times(trace);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_THAT(steps[0].tile_ms, ElementsAre(DoubleNear(4.0 / 3, 1e-9), DoubleNear(8.0 / 3, 1e-9)));
}

// Two steps on two workers, 10 ms in all.
Profile small_profile() {
  SyntheticPlan plan;
  plan.step("first", 2, {}, "product");
  plan.step("second", 1, {0}, "sum");
  plan.plan().steps[0].flops = 4e8;
  plan.plan().steps[0].bytes_moved = 8e6;
  plan.plan().steps[1].bytes_moved = 2e6;
  const TracedRun run =
      run_of({tile_at(0, 0, 0, 1, 5), tile_at(1, 0, 1, 1, 5), tile_at(1, 1, 0, 6, 8)}, 10);
  return make_profile({.plan = plan.shared(), .lanes = 2, .runs = {run}},
                      {.title = "by hand",
                       .peaks = {.gflops = 200, .bandwidth_gbs = 20},
                       .workers = {1, 2},
                       .measured = {{2, 8.0}}});
}

TEST(Profile, TellsTimesAndSharesAndWhatTheyMakeOfThePeak) {
  const Profile profile = small_profile();
  EXPECT_DOUBLE_EQ(profile.median_ms, 10);
  const NodeProfile& first = profile.nodes[0];
  EXPECT_DOUBLE_EQ(first.self_ms, 8);
  EXPECT_DOUBLE_EQ(first.share, 0.8);
  EXPECT_DOUBLE_EQ(first.longest_tile_ms, 4);
  EXPECT_DOUBLE_EQ(first.gflops, 50);  // 4e8 in 8 ms
  EXPECT_DOUBLE_EQ(first.gbs, 1);
  EXPECT_DOUBLE_EQ(first.peak_fraction, 0.5);  // of 100 a thread
  const NodeProfile& second = profile.nodes[1];
  EXPECT_DOUBLE_EQ(second.gflops, 0);
  EXPECT_DOUBLE_EQ(second.gbs, 1);
  EXPECT_DOUBLE_EQ(second.peak_fraction, 0.1);  // of 10 GB/s a thread
  ASSERT_EQ(profile.ops.size(), 2U);
  EXPECT_EQ(profile.ops[0].op, "product");
  EXPECT_EQ(profile.ops[0].calls, 2);
  EXPECT_DOUBLE_EQ(profile.ops[0].share, 0.8);
  ASSERT_EQ(profile.path.size(), 2U);
  EXPECT_TRUE(first.critical && second.critical);
  EXPECT_DOUBLE_EQ(profile.path_waiting_ms(), 2);
  EXPECT_DOUBLE_EQ(profile.spent[static_cast<std::size_t>(Spent::busy)], 0.5);
  EXPECT_DOUBLE_EQ(profile.scaling.work_ms, 10);
  EXPECT_DOUBLE_EQ(profile.scaling.critical_path_ms, 6);
  EXPECT_DOUBLE_EQ(profile.scaling.predictions[1].ms, 6);
  EXPECT_DOUBLE_EQ(profile.scaling.predictions[1].measured_ms, 8);
}

TEST(Profile, SaysTheSameAsText) {
  const std::string text = profile_text(small_profile());
  for (const char* part :
       {"by hand\n", "steps: 1 on 2 threads, 10.000 ms", "product", "50.0", "50.0%",
        "critical path of step 0: waiting 2.000 ms in all", "forward product 'first'", "busy",
        "dispatch", "nothing ready", "serial section", "too few tiles", "uneven tiles",
        "memory, MB: planned", "longest chain 6.000 ms", "predicted / measured", "0.750"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(Profile, SaysTheSameAsJson) {
  const auto program = branches(DType::f32, 16, 32, 48);
  Session session(program->graph, {.loss = program->loss,
                                   .optimizer = AdamW{},
                                   .threads = 2,
                                   .execution = Execution::flow_graph});
  session.start_trace();
  for (int i = 0; i < 5; ++i) session.run(program->feeds);
  const Profile profile = make_profile(session.stop_trace(), {.title = "16 branches"});
  const nlohmann::json data = nlohmann::json::parse(profile_json(profile));
  EXPECT_EQ(data.at("title"), "16 branches");
  EXPECT_EQ(data.at("threads"), 2);
  EXPECT_EQ(data.at("runs").at("count"), 5);
  const Plan& plan = session.plan();
  ASSERT_EQ(data.at("nodes").size(), plan.steps.size());
  double share = 0;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const nlohmann::json& node = data.at("nodes")[i];
    EXPECT_EQ(node.at("name"), plan.steps[i].name);
    EXPECT_EQ(node.at("predecessors"), std::vector<int>(plan.steps[i].predecessors));
    share += node.at("share").get<double>();
  }
  EXPECT_NEAR(share, 1, 1e-9);
  double spent = 0;
  for (const auto& [name, part] : data.at("efficiency").items()) spent += part.get<double>();
  EXPECT_NEAR(spent, 1, 1e-9);
  EXPECT_EQ(data.at("memory").at("curve").size(), plan.steps.size());
  EXPECT_EQ(data.at("memory").at("peak_bytes"), profile.memory.peak_bytes);
  EXPECT_EQ(data.at("scaling").at("predictions").size(), 8U);
  std::int64_t tiles = 0;
  for (const PlanStep& step : plan.steps) tiles += step.tiles;
  EXPECT_EQ(data.at("timeline").at("events").size(), static_cast<std::size_t>(5 * tiles));
  EXPECT_TRUE(data.at("machine").at("peak_gflops").is_null());
}

TEST(Profile, IsAPageThatHoldsItsData) {
  Graph graph;
  const Value x = graph.input("x", {4});
  const Value y = tanh(x, "</script><!-- /*STYLE*/ /*DATA*/");
  Session session(graph, {.fetches = {y}});
  const std::vector<float> data(4, 0.5F);
  session.start_trace();
  session.run({{x, data}});
  const std::string page = profile_html(make_profile(session.stop_trace()));
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const std::size_t begin = page.find(open) + open.size();
  const nlohmann::json held =
      nlohmann::json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  EXPECT_EQ(held.at("nodes")[0].at("name"), "</script><!-- /*STYLE*/ /*DATA*/");
  // Nothing is fetched: the one address is the name of SVG's elements.
  const std::string svg = "http://www.w3.org/2000/svg";
  for (std::size_t at = page.find("http"); at != std::string::npos;
       at = page.find("http", at + 1)) {
    if (page.compare(at, 10, "http-equiv") == 0) continue;
    EXPECT_EQ(page.substr(at, svg.size()), svg);
  }
}

TEST(Profile, RefusesWhatItCannotTell) {
  SyntheticPlan plan;
  plan.step("a", 1, {});
  TracedRun failed = run_of({}, 1);
  failed.failed = true;
  const Trace none{.plan = plan.shared(), .runs = {failed}};
  EXPECT_TRUE(
      mentions(refusal_of([&] { make_profile(none); }), {"profile", "no run", "succeeded"}) ||
      mentions(refusal_of([&] { make_profile(none); }), {"a run that succeeded"}));
  const Trace one{.plan = plan.shared(), .runs = {serial_run({{0, {1}}})}};
  EXPECT_TRUE(mentions(refusal_of([&] { make_profile(one, {.migration = 0.9}); }),
                       {"the migration must be finite and at least 1, got 0.9"}));
  EXPECT_TRUE(mentions(refusal_of([&] { make_profile(one, {.workers = {0}}); }),
                       {"at least 1 worker", "0"}));
  EXPECT_TRUE(mentions(refusal_of([&] { make_profile(one, {.bandwidth_cap_gbs = -1}); }),
                       {"bandwidth cap", "-1"}));
}

}  // namespace
}  // namespace gradmill
