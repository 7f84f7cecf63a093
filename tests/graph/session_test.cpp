#include <gradmill/gradmill.h>
#include <gradmill/graph/session.h>
#include <gtest/gtest.h>
#include "support/temp_folder.h"

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "programs.h"

namespace gradmill {
namespace {

TEST(Session, LearnsToFit) {
  const auto program = mlp(DType::f32, 32, {6, 24, 4});
  Session session(program->graph,
                  {.loss = program->loss, .optimizer = AdamW{.lr = 1e-2}, .threads = 2});
  session.run(program->feeds);
  const float first = session.fetch<float>(program->loss);
  for (int i = 0; i < 200; ++i) session.run(program->feeds);
  EXPECT_LT(session.fetch<float>(program->loss), 0.5F * first);
  EXPECT_EQ(session.parameters()->step(), 201U);
}

TEST(Session, OneStepOfSgdIsTheUpdateRule) {
  Graph graph;
  const Value x = graph.input("x", {2}, DType::f64);
  const Value w = graph.parameter("w", {2}, Initializer::constant(2), DType::f64);
  const Value loss = sum(x * w * w);
  Session session(graph, {.loss = loss, .optimizer = SGD{.lr = 0.25}, .gradients = {w}});
  const std::vector<double> data = {1, 3};
  session.run({{x, data}});
  EXPECT_DOUBLE_EQ(session.fetch<double>(loss), 4 + 12);
  EXPECT_DOUBLE_EQ(session.view_gradient(w).as<double>()[1], 12);
  EXPECT_DOUBLE_EQ(session.view(w).as<double>()[0], 2 - 0.25 * 4);
  EXPECT_DOUBLE_EQ(session.view(w).as<double>()[1], 2 - 0.25 * 12);
}

TEST(Session, TrainingEvaluationAndInferenceShareParameters) {
  Graph graph;
  const Value x = graph.input("x", {4, 3});
  const Value labels = graph.input("labels", {4}, DType::i64);
  const Value logits = linear(x, 2, "fc");
  const Value loss = cross_entropy(logits, labels);
  const Value score = accuracy(logits, labels);
  Graph one;  // the same model, one row at a time
  const Value row = one.input("x", {1, 3});
  const Value row_logits = linear(row, 2, "fc");

  Session training(graph, {.loss = loss, .optimizer = SGD{.lr = 1.0}});
  Session evaluation(graph,
                     {.loss = loss, .fetches = {score}, .parameters = training.parameters()});
  Session inference(one, {.fetches = {row_logits}, .parameters = training.parameters()});

  const std::vector<float> data = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1};
  const std::vector<std::int64_t> targets = {0, 1, 0, 1};
  evaluation.run({{x, data}, {labels, targets}});
  const float before = evaluation.fetch<float>(loss);
  for (int i = 0; i < 100; ++i) training.run({{x, data}, {labels, targets}});
  evaluation.run({{x, data}, {labels, targets}});
  EXPECT_LT(evaluation.fetch<float>(loss), before);
  EXPECT_GE(evaluation.fetch<float>(score), 0.75F);
  inference.run({{row, std::span(data).first(3)}});
  const auto result = inference.view(row_logits).as<float>();
  EXPECT_GT(result[0], result[1]);
  EXPECT_EQ(evaluation.parameters(), training.parameters());
  EXPECT_EQ(training.parameters()->step(), 100U);
}

TEST(Session, LearningRateTakesEffectAtTheNextStep) {
  Graph graph;
  const Value w = graph.parameter("w", {1}, Initializer::zeros(), DType::f64);
  const Value loss = sum(w);
  Session session(graph, {.loss = loss, .optimizer = SGD{.lr = 1}});
  EXPECT_EQ(session.learning_rate(), 1);
  const Plan* plan = &session.plan();
  session.run();
  EXPECT_EQ(session.view(w).as<double>()[0], -1);
  session.set_learning_rate(0.5);
  session.run();
  EXPECT_EQ(session.view(w).as<double>()[0], -1.5);
  session.set_learning_rate(0);
  session.run();
  EXPECT_EQ(session.view(w).as<double>()[0], -1.5);
  EXPECT_EQ(&session.plan(), plan);
}

TEST(Session, RefusesLearningRatesThatMakeNoSense) {
  const auto program = mlp(DType::f32, 4, {3, 2});
  Session training(program->graph, {.loss = program->loss, .optimizer = SGD{.lr = 0.1}});
  for (const double rate : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_TRUE(mentions(refusal_of([&] { training.set_learning_rate(rate); }), {"learning_rate"}));
  }
  EXPECT_EQ(training.learning_rate(), 0.1);
  Session evaluation(program->graph, {.loss = program->loss});
  EXPECT_TRUE(mentions(refusal_of([&] { evaluation.set_learning_rate(1); }), {"optimizer"}));
}

TEST(Session, ParameterGradientsAreThoseOfTheGraph) {
  const auto program = mlp(DType::f64, 5, {4, 6, 3}, [](Value x) { return tanh(x); });
  const auto values = gradients(program->loss, std::span<const Value>(program->parameters));
  Session training(program->graph, {.loss = program->loss,
                                    .optimizer = SGD{.lr = 0.1},
                                    .fetches = values,
                                    .gradients = program->parameters});
  Session plain(program->graph, {.fetches = values});
  plain.run(program->feeds);
  training.run(program->feeds);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& parameter = program->parameters[i];
    EXPECT_EQ(training.view_gradient(parameter).type, parameter.type());
    EXPECT_EQ(bytes_of(training.view_gradient(parameter)), bytes_of(training.view(values[i])));
    EXPECT_EQ(bytes_of(training.view_gradient(parameter)), bytes_of(plain.view(values[i])));
  }
}

TEST(Session, SameSeedSameParameters) {
  const auto program = mlp(DType::f32, 4, {3, 5, 2});
  const auto values = [&](std::uint64_t seed) {
    return bytes_of(*Session(program->graph, {.loss = program->loss, .seed = seed}).parameters());
  };
  EXPECT_EQ(values(3), values(3));
  EXPECT_NE(values(3), values(4));
}

TEST(Session, FetchesFeedsConstantsAndParameters) {
  Graph graph;
  const Value x = graph.input("x", {2});
  const Value w = graph.parameter("w", {2}, Initializer::constant(7));
  const Value c = graph.constant(5.0, {2});
  Session session(graph, {.fetches = {x, w, c}});
  const std::vector<float> data = {1, 2};
  session.run({{x, data}});
  EXPECT_EQ(session.view(x).as<float>()[1], 2);
  EXPECT_EQ(session.view(w).as<float>()[1], 7);
  EXPECT_EQ(session.view(c).as<float>()[1], 5);
}

TEST(Session, FetchesThroughAReshape) {
  Graph graph;
  const Value x = graph.input("x", {2, 3});
  const Value y = reshape(x * 2.0, {3, 2});
  Session session(graph, {.fetches = {y}});
  const std::vector<float> data = {1, 2, 3, 4, 5, 6};
  session.run({{x, data}});
  EXPECT_EQ(session.view(y).type.shape, Shape({3, 2}));
  EXPECT_EQ(session.view(y).as<float>()[5], 12);
}

TEST(Session, TakesPointersSpansAndArrays) {
  Graph graph;
  const Value x = graph.input("x", {3});
  const Value y = sum(x);
  Session session(graph, {.fetches = {y}});
  const std::array<float, 3> array = {1, 2, 3};
  const std::vector<float> vector(array.begin(), array.end());
  session.run({{x, array}});
  EXPECT_EQ(session.fetch<float>(y), 6);
  session.run({{x, vector.data()}});
  EXPECT_EQ(session.fetch<float>(y), 6);
  session.run({{x, std::span<const float>(vector)}});
  EXPECT_EQ(session.fetch<float>(y), 6);
  std::array<float, 1> out = {};
  session.fetch(y, std::span<float>(out));
  EXPECT_EQ(out[0], 6);
}

TEST(Session, SurvivesItsGraph) {
  auto program = mlp(DType::f32, 4, {3, 5, 2});
  Session session(program->graph, {.loss = program->loss, .optimizer = AdamW{}});
  // More nodes do not concern a session that was made before.
  Graph& graph = program->graph;
  const Value late = graph.input("late", {2});
  relu(late);
  EXPECT_NO_THROW(session.run(program->feeds));
  const std::vector<float> data = {1, 2};
  auto feeds = program->feeds;
  feeds.emplace_back(late, data);
  EXPECT_TRUE(mentions(refusal_of([&] { session.run(feeds); }), {"late"}));
}

TEST(Session, MovesWithItsResults) {
  const auto program = mlp(DType::f32, 4, {3, 5, 2});
  Session session(program->graph, {.loss = program->loss});
  session.run(program->feeds);
  const float loss = session.fetch<float>(program->loss);
  Session moved = std::move(session);
  EXPECT_EQ(moved.fetch<float>(program->loss), loss);
  moved.run(program->feeds);
  EXPECT_EQ(moved.fetch<float>(program->loss), loss);
}

TEST(Session, ExecutionCanBeForced) {
  const auto program = mlp(DType::f32, 4, {3, 5, 2});
  const auto serial = [&](Execution execution, int threads) {
    return Session(program->graph,
                   {.loss = program->loss, .threads = threads, .execution = execution})
        .serial();
  };
  EXPECT_TRUE(serial(Execution::serial, 2));
  EXPECT_FALSE(serial(Execution::flow_graph, 2));
  EXPECT_FALSE(serial(Execution::flow_graph, 1));
  EXPECT_TRUE(serial(Execution::automatic, 2)) << "a plan this small is not worth a flow graph";
  const auto large = mlp(DType::f32, 512, {784, 1024, 1024, 10});
  EXPECT_FALSE(
      Session(large->graph, {.loss = large->loss, .optimizer = SGD{}, .threads = 2}).serial());
}

TEST(Session, ThreadsAreThoseAskedFor) {
  const auto program = mlp(DType::f32, 4, {3, 5, 2});
  EXPECT_EQ(Session(program->graph, {.loss = program->loss, .threads = 3}).threads(), 3);
  EXPECT_GE(Session(program->graph, {.loss = program->loss}).threads(), 1);
  const auto with = [&](int threads) {
    return refusal_of(
        [&] { Session(program->graph, {.loss = program->loss, .threads = threads}); });
  };
  EXPECT_TRUE(mentions(with(-1), {"threads", "-1"}));
}

TEST(Session, AdamWCountsTheUpdatesOfEachParameter) {
  // The first AdamW update is lr * sign(g) whatever ran before with the same parameters.
  for (const int before : {0, 1, 1000}) {
    Graph graph;
    const Value w = graph.parameter("w", {1}, Initializer::constant(1), DType::f64);
    const Value loss = sum(w);
    Session other(graph, {.loss = loss, .optimizer = SGD{.lr = 0}});
    for (int i = 0; i < before; ++i) other.run();
    Session session(graph, {.loss = loss,
                            .optimizer = AdamW{.lr = 0.1, .weight_decay = 0},
                            .parameters = other.parameters()});
    session.run();
    EXPECT_NEAR(session.view(w).as<double>()[0], 0.9, 1e-7) << before << " steps before";
  }
}

TEST(Session, SessionsThatTrainByTurnsUpdateAsOneWouldAlone) {
  Graph graph;
  const Value p = graph.parameter("p", {1}, Initializer::constant(1), DType::f64);
  const Value q = graph.parameter("q", {1}, Initializer::constant(1), DType::f64);
  const Value loss_p = sum(p * p);
  const Value loss_q = sum(q * q);
  Session alone(graph, {.loss = loss_p, .optimizer = AdamW{.lr = 0.1}});
  Session first(graph, {.loss = loss_p, .optimizer = AdamW{.lr = 0.1}});
  Session second(graph,
                 {.loss = loss_q, .optimizer = AdamW{.lr = 0.1}, .parameters = first.parameters()});
  for (int i = 0; i < 5; ++i) {
    alone.run();
    first.run();
    second.run();
  }
  EXPECT_EQ(first.view(p).as<double>()[0], alone.view(p).as<double>()[0]);
  EXPECT_EQ(second.view(q).as<double>()[0], alone.view(p).as<double>()[0]);
}

TEST(Session, AFetchedInputOutlivesItsFeed) {
  Graph graph;
  const Value x = graph.input("x", {100000});
  const Value shaped = reshape(x, {100, 1000});
  Session session(graph, {.fetches = {x, shaped}});
  {
    const std::vector<float> data(100000, 3.0F);
    session.run({{x, data}});
  }
  const std::vector<float> other(100000, 7.0F);
  EXPECT_EQ(session.view(x).as<float>()[99999], 3.0F);
  EXPECT_EQ(session.view(shaped).as<float>()[99999], 3.0F);
  EXPECT_EQ(session.view(shaped).type.shape, Shape({100, 1000}));
}

TEST(Session, AFetchedViewOfAParameterIsTheValueBeforeTheUpdate) {
  Graph graph;
  const Value p = graph.parameter("p", {2}, Initializer::constant(1));
  const Value shaped = reshape(p, {1, 2});
  const Value product = shaped * 1.0;
  const Value loss = sum(p * p);
  Session session(graph,
                  {.loss = loss, .optimizer = SGD{.lr = 0.1}, .fetches = {shaped, product, p}});
  session.run();
  EXPECT_EQ(session.view(shaped).as<float>()[1], 1.0F);
  EXPECT_EQ(session.view(product).as<float>()[1], 1.0F);
  EXPECT_FLOAT_EQ(session.view(p).as<float>()[1], 0.8F);
}

TEST(Session, LoadingStartsTheOptimizerAgain) {
  Graph graph;
  const Value w = graph.parameter("w", {1}, Initializer::constant(0), DType::f64);
  const Value loss = sum(w);
  Session session(graph, {.loss = loss, .optimizer = SGD{.lr = 0.1, .momentum = 0.9}});
  const TempFolder folder;
  const std::string path = folder / "zero.safetensors";
  session.parameters()->save(path);
  for (int i = 0; i < 5; ++i) session.run();
  session.parameters()->load(path);
  session.run();
  EXPECT_DOUBLE_EQ(session.view(w).as<double>()[0], -0.1);
}

}  // namespace
}  // namespace gradmill
