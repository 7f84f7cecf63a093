// When an update must wait for its whole gradient, and when it must not happen at all.

#include "fused_update.h"

#include <gmock/gmock.h>
#include <gradmill/graph/passes/rewrite.h>
#include <gradmill/graph/planning/compile.h>
#include <gradmill/runtime/executor/executor.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "support/error_of.h"

namespace gradmill {
namespace {

using testing::HasSubstr;

class GuardedUpdate : public RuleTest {};

INSTANTIATE_TEST_SUITE_P(Rules, GuardedUpdate, testing::ValuesIn(rules()), name_of);

TEST_P(GuardedUpdate, LeavesAFetchedGradientToBeStored) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    SCOPED_TRACE(to_string(dtype));
    const Network network(dtype, 50, {31, 43, 5});
    const Value weight = network.graph.find("fc1.weight");
    std::vector<Contents> results;
    for (const bool fuse : {true, false}) {
      SessionOptions options = network.options(optimizer(), fuse);
      options.gradients = {weight};
      Session session(network.graph, options);
      EXPECT_EQ(fused_updates(session.plan()).size(), fuse ? 1U : 0U) << "that of fc2.weight";
      for (int step = 0; step < 2; ++step) session.run({network.fed.feed()});
      results.push_back(variables(session.plan()));
      results.back()["gradient"] = bytes_of(session.view_gradient(weight));
    }
    expect_same(results[0], results[1]);
  }
}

TEST_P(GuardedUpdate, LeavesTheVariablesAloneWhenAStepFails) {
  Network network(DType::f32, 50, {31, 43, 5});
  const Value logits = linear(network.x, 5, "head");
  const Value labels = network.graph.input("labels", {50}, DType::i64);
  network.loss = cross_entropy(logits, labels) + network.loss;
  const std::vector<std::int64_t> good(50, 1);
  std::vector<std::int64_t> bad = good;
  bad.back() = 5;
  std::vector<float> poison(50 * 31, 0.5F);
  poison[77] = std::numeric_limits<float>::quiet_NaN();

  for (const bool check_finite : {false, true}) {
    SCOPED_TRACE(check_finite ? "with check_finite" : "without");
    SessionOptions options = network.options(optimizer(), true);
    options.check_finite = check_finite;
    Session session(network.graph, options);
    Session untouched(network.graph, options);
    EXPECT_EQ(fused_updates(session.plan()).empty(), check_finite)
        << "a gradient that is to be checked is stored";
    session.run({network.fed.feed(), {labels, good}});
    untouched.run({network.fed.feed(), {labels, good}});
    const Contents before = variables(session.plan());
    EXPECT_THAT(error_of([&] {
                  session.run({network.fed.feed(), {labels, bad}});
                }),
                HasSubstr("label"));
    expect_same(variables(session.plan()), before);
    if (check_finite) {
      EXPECT_THAT(error_of<Failure>([&] {
                    session.run({{network.x, poison}, {labels, good}});
                  }),
                  HasSubstr("check_finite 'x': the input has NaN"));
      expect_same(variables(session.plan()), before);
    }
    session.run({network.fed.feed(), {labels, good}});
    untouched.run({network.fed.feed(), {labels, good}});
    expect_same(variables(session.plan()), variables(untouched.plan()));
  }
}

// A gradient that is wrong while all before it is right is only found where it is stored.
TEST_P(GuardedUpdate, AGradientThatIsNotFiniteUpdatesNothing) {
  Graph graph;
  const Value x = graph.input("x", {4, 3});
  const Value w = graph.parameter("w", {3, 2}, Initializer::zeros());
  const Value loss = mean(matmul(x, w) * 1e38);
  const std::vector<float> large(12, 1e2F);
  const std::vector<float> fine(12, 2e-38F);
  Session session(graph, {.loss = loss,
                          .optimizer = optimizer(),
                          .threads = 2,
                          .check_finite = true,
                          .execution = Execution::flow_graph});
  const Contents before = variables(session.plan());
  EXPECT_THAT(error_of<Failure>([&] { session.run({{x, large}}); }), HasSubstr(".grad."));
  expect_same(variables(session.plan()), before);
  session.run({{x, fine}});
  EXPECT_FALSE(variables(session.plan()).at("w") == before.at("w"));
}

// An update that follows a product, put together by hand.
struct ByHand {
  explicit ByHand(bool fuse, const std::function<Value(Value w, Value x)>& gradient) {
    const Value w = graph.parameter("w", {kSize, kSize}, Initializer::uniform(-1, 1));
    const Value x = graph.constant(0.25, {kSize, kSize});
    const std::shared_ptr<const Optimizer> sgd = SGD{.lr = kRate};
    const Value g = gradient(w, x);
    {
      const Graph::Scope scope(graph, Phase::update, "");
      graph.add(sgd->update({}), {w, g}, "update");
    }
    parameters = std::make_shared<Parameters>(graph, 3);
    Ends ends;
    rewrite(graph, ends, {.fuse_updates = fuse});
    plan = std::make_shared<Plan>(compile(graph, ends, *parameters, {}).plan);
  }

  // The parameter before and after one update.
  std::pair<Array, Array> run() const {
    const Array before = to_array(parameters->view("w"));
    Executor executor(plan, {.threads = 3});
    executor.run({.step = 0, .learning_rate = kRate});
    return {before, to_array(parameters->view("w"))};
  }

  static constexpr std::int64_t kSize = 260;  // several tiles
  static constexpr double kRate = 0.125;
  Graph graph;
  std::shared_ptr<Parameters> parameters;
  std::shared_ptr<Plan> plan;
};

Array after_update(const Array& before, const Array& gradient) {
  return zip(before, gradient, [](double p, double g) { return p - ByHand::kRate * g; });
}

TEST(FusedUpdateByHand, FollowsTheGradient) {
  for (const bool fuse : {true, false}) {
    const ByHand hand(fuse, [](Value, Value x) { return matmul(x, x); });
    EXPECT_EQ(hand.plan->steps.size(), fuse ? 1U : 2U);
    const auto [before, after] = hand.run();
    const Array gradient({ByHand::kSize, ByHand::kSize}, 0.0625 * ByHand::kSize);
    expect_near(after, after_update(before, gradient), 1e-6);
  }
}

TEST(FusedUpdateByHand, IsRefusedWhereTheProductReadsTheParameter) {
  // A tile would otherwise read rows that another has changed already.
  const auto n = ByHand::kSize;
  const std::map<std::string, std::function<Value(Value, Value)>> gradients = {
      {"lhs", [](Value w, Value x) { return matmul(w, x); }},
      {"rhs", [](Value w, Value x) { return matmul(x, w, {.transpose_b = true}); }},
      {"both", [](Value w, Value) { return matmul(w, w); }},
      {"renamed", [n](Value w, Value x) {
         return matmul(reshape(reshape(w, {n * n}), {n, n}), x);
       }}};
  for (const auto& [name, gradient] : gradients) {
    SCOPED_TRACE(name);
    const ByHand fused(true, gradient);
    EXPECT_TRUE(fused_updates(*fused.plan).empty());
    const ByHand plain(false, gradient);
    const auto [before, after] = fused.run();
    EXPECT_EQ(after.data, plain.run().second.data);
    const Array x({n, n}, 0.25);
    const Array g = name == "both"  ? matmul(before, before)
                    : name == "rhs" ? matmul(x, transpose(before, 0, 1))
                                    : matmul(before, x);
    expect_near(after, after_update(before, g), 1e-5);
  }
}

TEST(FusedUpdateByHand, IsRefusedWhereTheGradientHasAnotherReader) {
  Graph graph;
  const Value x = graph.input("x", {8, 5});
  const Value w = graph.parameter("w", {5, 3}, Initializer::uniform(-1, 1));
  const Value y = matmul(x, w);
  const Value loss = mean(y * y);
  const Value norm = sum(gradients(loss, {w})[0] * gradients(loss, {w})[0]);
  const Fed fed(x, Random(1).array(x.shape()));
  std::vector<Contents> results;
  for (const bool fuse : {true, false}) {
    Session session(graph, {.loss = loss,
                            .optimizer = SGD{.lr = 0.1},
                            .fetches = {norm},
                            .threads = 2,
                            .execution = Execution::flow_graph,
                            .rewrites = {.fuse_updates = fuse}});
    EXPECT_TRUE(fused_updates(session.plan()).empty());
    for (int step = 0; step < 2; ++step) session.run({fed.feed()});
    results.push_back(variables(session.plan()));
    results.back()["norm"] = bytes_of(session.view(norm));
  }
  expect_same(results[0], results[1]);
}

TEST(FusedUpdateByHand, AWeightUsedTwiceIsUpdatedOnce) {
  Graph graph;
  const Value x = graph.input("x", {40, 30});
  const Value w = graph.parameter("w", {30, 30}, Initializer::uniform(-0.1, 0.1));
  const Value y = tanh(matmul(tanh(matmul(x, w)), w));
  const Value loss = mean(y * y);
  const Fed fed(x, Random(1).array(x.shape()));
  std::vector<Contents> results;
  for (const bool fuse : {true, false}) {
    Session session(graph, {.loss = loss,
                            .optimizer = AdamW{.lr = 0.1},
                            .threads = 3,
                            .execution = Execution::flow_graph,
                            .rewrites = {.fuse_updates = fuse}});
    for (int step = 0; step < 3; ++step) session.run({fed.feed()});
    results.push_back(variables(session.plan()));
  }
  expect_same(results[0], results[1]);
}

}  // namespace
}  // namespace gradmill
