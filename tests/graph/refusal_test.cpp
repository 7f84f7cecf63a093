// What a session refuses, and that nothing has changed after it did.

#include <gradmill/gradmill.h>
#include <gradmill/graph/parameters/store.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "probe_op.h"
#include "programs.h"

namespace gradmill {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A session in training, and a twin that sees the good steps only.
class Refusal : public testing::TestWithParam<Execution> {
 protected:
  SessionOptions options() const {
    return {.loss = program->loss,
            .optimizer = AdamW{.lr = 1e-2},
            .fetches = program->fetches,
            .gradients = program->parameters,
            .threads = 2,
            .execution = GetParam()};
  }

  /// Trains, lets `work` be refused, trains on; parameters and optimizer state must not have
  /// noticed.
  std::string refused(const std::function<void(Session&)>& work, SessionOptions with) {
    Session session(program->graph, with);
    Session twin(program->graph, with);
    for (int i = 0; i < 2; ++i) session.run(program->feeds);
    for (int i = 0; i < 2; ++i) twin.run(program->feeds);
    const auto before = all_state(session);
    const std::string message = refusal_of([&] { work(session); });
    EXPECT_EQ(all_state(session), before);
    EXPECT_EQ(session.parameters()->step(), 2U);
    session.run(program->feeds);
    twin.run(program->feeds);
    EXPECT_EQ(all_state(session), all_state(twin));
    EXPECT_EQ(bytes_of(session.view(program->loss)), bytes_of(twin.view(program->loss)));
    return message;
  }
  std::string refused(const std::function<void(Session&)>& work) {
    return refused(work, options());
  }

  std::string refused_feeds(const std::vector<Feed>& feeds) {
    return refused([&](Session& session) { session.run(feeds); });
  }

  /// Parameters and what AdamW keeps for them.
  static std::map<std::string, Bytes> all_state(const Session& session) {
    const Parameters& parameters = *session.parameters();
    auto result = bytes_of(parameters);
    for (const std::string& name : parameters.names()) {
      for (const std::string& state : std::shared_ptr<const Optimizer>(AdamW{})->state()) {
        const std::string full = name + "." + state;
        const void* address = parameters.store().address(full);
        EXPECT_NE(address, nullptr) << full;
        if (address == nullptr) continue;
        result[full] = bytes_of(TensorView{parameters.view(name).type, address});
      }
    }
    return result;
  }

  std::unique_ptr<Program> program = mlp(DType::f32, 9, {5, 7, 4});
  Value images = program->graph.find("images");
  Value labels = program->graph.find("labels");
  std::vector<float> pixels = std::vector<float>(9 * 5, 0.5F);
  std::vector<std::int64_t> targets = std::vector<std::int64_t>(9, 1);
};

INSTANTIATE_TEST_SUITE_P(Executions, Refusal,
                         testing::Values(Execution::serial, Execution::flow_graph),
                         [](const testing::TestParamInfo<Execution>& parameter) {
                           return parameter.param == Execution::serial ? "serial" : "flow_graph";
                         });

TEST_P(Refusal, MissingFeed) {
  EXPECT_TRUE(mentions(refused_feeds({{images, pixels}}), {"'labels'", "not fed"}));
  EXPECT_TRUE(mentions(refused_feeds({{labels, targets}}), {"'images'", "not fed"}));
  refused_feeds({});
}

TEST_P(Refusal, DoubledFeed) {
  EXPECT_TRUE(mentions(refused_feeds({{images, pixels}, {labels, targets}, {images, pixels}}),
                       {"'images'", "twice"}));
}

TEST_P(Refusal, FeedOfTheWrongSize) {
  const std::vector<float> longer(46);
  EXPECT_TRUE(
      mentions(refused_feeds({{images, longer}, {labels, targets}}), {"'images'", "45", "46"}));
  const std::vector<std::int64_t> shorter(8);
  EXPECT_TRUE(
      mentions(refused_feeds({{images, pixels}, {labels, shorter}}), {"'labels'", "9", "8"}));
}

TEST_P(Refusal, FeedOfTheWrongDtype) {
  const std::vector<double> doubles(45);
  EXPECT_TRUE(
      mentions(refused_feeds({{images, doubles}, {labels, targets}}), {"'images'", "f32", "f64"}));
  const std::vector<float> floats(9);
  EXPECT_TRUE(
      mentions(refused_feeds({{images, pixels}, {labels, floats}}), {"'labels'", "i64", "f32"}));
}

TEST_P(Refusal, FeedOfWhatIsNoInput) {
  const std::vector<float> numbers(4 * 9);
  EXPECT_TRUE(mentions(
      refused_feeds({{images, pixels}, {labels, targets}, {program->fetches.back(), numbers}}),
      {"no input"}));
  refused_feeds({{images, pixels}, {labels, targets}, {Value(), numbers}});
  Graph other;
  const Value stranger = other.input("images", {9, 5});
  EXPECT_TRUE(mentions(refused_feeds({{stranger, pixels}, {labels, targets}}), {"another graph"}));
  refused_feeds({{images, static_cast<const float*>(nullptr)}, {labels, targets}});
}

TEST_P(Refusal, LabelOutOfRangeNamesRowAndLabel) {
  for (const std::int64_t bad :
       {std::int64_t{4}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    auto wrong = targets;
    wrong[6] = bad;
    EXPECT_TRUE(mentions(refused_feeds({{images, pixels}, {labels, wrong}}),
                         {"cross_entropy", std::to_string(bad), "row 6", "4"}));
  }
}

TEST_P(Refusal, TheFirstOfSeveralBadLabelsIsNamed) {
  auto wrong = targets;
  wrong[8] = 99;
  wrong[2] = 77;
  wrong[5] = 88;
  EXPECT_TRUE(mentions(refused_feeds({{images, pixels}, {labels, wrong}}), {"77", "row 2"}));
}

TEST_P(Refusal, ResultsOfARefusedStepAreNotFetched) {
  refused([&](Session& session) {
    auto wrong = targets;
    wrong[0] = 4;
    refusal_of([&] { session.run({{images, pixels}, {labels, wrong}}); });
    session.view(program->loss);
  });
}

TEST_P(Refusal, CheckFiniteNamesTheInput) {
  auto with = options();
  with.check_finite = true;
  for (const float bad :
       {kNan, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    auto wrong = pixels;
    wrong[17] = bad;
    const auto work = [&](Session& session) {
      EXPECT_THROW(session.run({{images, wrong}, {labels, targets}}), Failure);
      session.run({{images, wrong}, {labels, targets}});
    };
    EXPECT_TRUE(mentions(refused(work, with), {"check_finite 'images'", "the input", "17"}));
  }
}

TEST_P(Refusal, CheckFiniteNamesTheFirstNode) {
  Graph graph;
  const Value x = graph.input("x", {4});
  const Value w = graph.parameter("w", {4}, Initializer::constant(1));
  const Value logarithm = log(x * w, "the_log");
  const Value loss = sum(exp(logarithm, "the_exp") + sqrt(logarithm, "the_sqrt"));
  Session session(graph, {.loss = loss,
                          .optimizer = SGD{.lr = 0.1, .momentum = 0.9},
                          .threads = 2,
                          .check_finite = true,
                          .execution = GetParam()});
  const std::vector<float> good = {2, 3, 4, 5};
  session.run({{x, good}});
  const auto before = bytes_of(*session.parameters());
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> bad = {2, 0, 4, -5};
    EXPECT_TRUE(mentions(refusal_of([&] {
                           session.run({{x, bad}});
                         }),
                         {"check_finite 'the_log'", "the result of log", "-inf", "1"}));
    EXPECT_EQ(bytes_of(*session.parameters()), before);
  }
  EXPECT_NO_THROW(session.run({{x, good}}));
  EXPECT_EQ(session.parameters()->step(), 2U);
}

TEST_P(Refusal, CheckFiniteHoldsEveryUpdateBackUntilTheLastGradientIsChecked) {
  // Forward is finite; only the gradient of `first`, which is the last to be computed, is not. The
  // other parameters' gradients are zero, and weight decay would move them all the same.
  Graph graph;
  const Value x = graph.input("x", {4});
  const Value first = graph.parameter("first", {4}, Initializer::constant(1));
  const Value second = graph.parameter("second", {4}, Initializer::constant(1));
  const Value third = graph.parameter("third", {4}, Initializer::constant(1));
  const Value loss = sum(third * tanh(second * sqrt(x * first)));
  Session session(graph, {.loss = loss,
                          .optimizer = SGD{.lr = 0.1, .weight_decay = 0.5},
                          .threads = 2,
                          .check_finite = true,
                          .execution = GetParam()});
  const auto before = bytes_of(*session.parameters());
  const std::vector<float> zeros(4);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(mentions(refusal_of([&] { session.run({{x, zeros}}); }), {"check_finite"}));
    ASSERT_EQ(bytes_of(*session.parameters()), before);
  }
  const std::vector<float> good(4, 1.0F);
  EXPECT_NO_THROW(session.run({{x, good}}));
}

TEST_P(Refusal, WithoutCheckFiniteNumbersPass) {
  auto wrong = pixels;
  wrong[0] = kNan;
  Session session(program->graph, options());
  EXPECT_NO_THROW(session.run({{images, wrong}, {labels, targets}}));
  EXPECT_TRUE(std::isnan(session.fetch<float>(program->loss)));
}

TEST_P(Refusal, AnErrorInAFallibleOpReachesTheCallerOfRun) {
  bool fail_now = false;
  Graph graph;
  const Value x = graph.input("x", {8});
  const Value w = graph.parameter("w", {8}, Initializer::constant(1));
  const Value shaky = probe(
      x * w, 4,
      [&](std::int64_t tile) {
        if (fail_now && tile >= 2) throw std::runtime_error("tile " + std::to_string(tile));
      },
      true);
  const Value loss = sum(shaky);
  Session session(
      graph, {.loss = loss, .optimizer = SGD{.lr = 0.5}, .threads = 3, .execution = GetParam()});
  const std::vector<float> data(8, 1);
  session.run({{x, data}});
  const auto before = bytes_of(*session.parameters());
  fail_now = true;
  for (int i = 0; i < 50; ++i) {
    try {
      session.run({{x, data}});
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "tile 2");
    }
    EXPECT_EQ(bytes_of(*session.parameters()), before);
  }
  fail_now = false;
  session.run({{x, data}});
  EXPECT_FLOAT_EQ(session.view(w).as<float>()[0], 0.0F);
}

TEST_P(Refusal, FetchOfWhatWasNotAskedFor) {
  const Value hidden = relu(images);
  Session session(program->graph, options());
  EXPECT_TRUE(mentions(refusal_of([&] { session.view(program->loss); }), {"no result"}));
  session.run(program->feeds);
  EXPECT_TRUE(mentions(refusal_of([&] { session.view(hidden); }), {hidden.name(), "not asked"}));
  EXPECT_TRUE(mentions(refusal_of([&] { session.view(images); }), {"'images'", "not asked"}));
  refusal_of([&] { session.view(Value()); });
  refusal_of([&] { session.view_gradient(images); });
  refusal_of([&] { session.fetch<double>(program->loss); });
  refusal_of([&] { session.fetch<float>(program->fetches[0]); });
  std::vector<float> shorter(3);
  refusal_of([&] { session.fetch(program->fetches[0], std::span<float>(shorter)); });
  Graph other;
  const Value stranger = other.input("x", {1});
  EXPECT_TRUE(mentions(refusal_of([&] { session.view(stranger); }), {"another graph"}));
  EXPECT_NO_THROW(session.run(program->feeds));
}

}  // namespace
}  // namespace gradmill
