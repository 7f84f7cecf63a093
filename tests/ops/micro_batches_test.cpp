// Steps of several micro-batches, and parameters that follow optimizers of their own.

#include <gmock/gmock.h>
#include <gradmill/gradmill.h>
#include <gradmill/runtime/support/random.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "support/error_of.h"

namespace gradmill {
namespace {

using testing::HasSubstr;

struct Net {
  Graph graph;
  Value x, y, w1, b1, w2, loss;
  Net(std::int64_t batch, DType dtype) {
    x = graph.input("x", {batch, 5}, dtype);
    y = graph.input("y", {batch}, DType::i64);
    w1 = graph.parameter("fc1.weight", {16, 5}, Initializer::uniform(-1, 1), dtype);
    b1 = graph.parameter("fc1.bias", {16}, Initializer::uniform(-1, 1), dtype);
    w2 = graph.parameter("fc2.weight", {3, 16}, Initializer::uniform(-1, 1), dtype);
    loss = cross_entropy(linear(relu(linear(x, w1, b1)), w2), y);
  }
};

template <class T>
std::vector<T> noise(std::size_t n, std::uint64_t stream) {
  std::vector<T> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<T>(Philox(3, stream).normal(i));
  return values;
}

// All parameters after some steps of 8 rows each.
template <class T>
std::vector<T> trained(int micro_batches, SessionOptions options, int steps = 3) {
  const std::int64_t rows = 8 / micro_batches;
  Net net(rows, dtype_of<T>());
  options.loss = net.loss;
  options.seed = 11;
  options.micro_batches = micro_batches;
  Session session(net.graph, options);
  for (int step = 0; step < steps; ++step) {
    const std::vector<T> x = noise<T>(8 * 5, static_cast<std::uint64_t>(step));
    const std::vector<std::int64_t> y = {0, 1, 2, 2, 1, 0, 1, 2};
    for (int k = 0; k < micro_batches; ++k) {
      EXPECT_EQ(session.micro_batch(), k);
      EXPECT_EQ(session.parameters()->step(), static_cast<std::uint64_t>(step));
      session.run({{net.x, x.data() + k * rows * 5}, {net.y, y.data() + k * rows}});
    }
  }
  std::vector<T> all;
  for (const std::string& name : session.parameters()->names()) {
    const auto values = session.parameters()->view(name).template as<T>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

// With a learning rate of 1, one step of plain SGD moves the parameters by the gradient.
TEST(MicroBatches, GiveTheGradientOfTheWholeBatch) {
  for (const bool clip : {false, true}) {
    SessionOptions options{.optimizer = SGD{.lr = 1}};
    if (clip) options.gradient_scaling = ClipGradNorm{.max_norm = 0.01};
    const auto whole = trained<double>(1, options, 1);
    for (const int micro_batches : {2, 4, 8}) {
      const auto parts = trained<double>(micro_batches, options, 1);
      for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(parts[i], whole[i], 1e-12) << i;
    }
  }
}

TEST(MicroBatches, TrainAsTheWholeBatchDoes) {
  for (const std::shared_ptr<const Optimizer>& optimizer :
       {std::shared_ptr<const Optimizer>(AdamW{.lr = 0.01, .weight_decay = 0.1}),
        std::shared_ptr<const Optimizer>(SGD{.lr = 0.1, .momentum = 0.9, .nesterov = true})}) {
    const auto whole = trained<double>(1, {.optimizer = optimizer});
    const auto parts = trained<double>(4, {.optimizer = optimizer});
    for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(parts[i], whole[i], 1e-10) << i;
  }
}

TEST(MicroBatches, HaveTheSameBitsHoweverTheyRun) {
  const auto run = [](int threads, Execution execution, bool fuse) {
    return trained<float>(4, {.optimizer = AdamW{},
                              .threads = threads,
                              .execution = execution,
                              .rewrites = {.fuse_updates = fuse}});
  };
  const auto expected = run(1, Execution::serial, true);
  for (const int threads : {1, 2, 3, 8}) {
    EXPECT_EQ(run(threads, Execution::flow_graph, true), expected) << threads;
  }
  EXPECT_EQ(run(2, Execution::flow_graph, false), expected);
}

// The failed run counts for nothing, and is done again.
TEST(MicroBatches, AFailureInTheMiddleLosesNothing) {
  std::vector<double> results[2];
  for (const bool fails : {false, true}) {
    Net net(2, DType::f64);
    Session session(net.graph,
                    {.loss = net.loss, .optimizer = SGD{.lr = 0.5}, .micro_batches = 2, .seed = 4});
    const auto x = noise<double>(20, 9);
    const std::vector<std::int64_t> good = {0, 1};
    const std::vector<std::int64_t> bad = {0, 3};
    session.run({{net.x, x.data()}, {net.y, good}});
    if (fails) {
      EXPECT_THAT(error_of([&] {
                    session.run({{net.x, x.data() + 10}, {net.y, bad}});
                  }),
                  HasSubstr("3"));
      EXPECT_EQ(session.micro_batch(), 1);
    }
    session.run({{net.x, x.data() + 10}, {net.y, good}});
    const auto values = session.view(net.w1).as<double>();
    results[fails].assign(values.begin(), values.end());
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST(ParameterGroups, FollowTheirOwnOptimizer) {
  Graph graph;
  const Value x = graph.input("x", {3}, DType::f64);
  const Value p = graph.parameter("p", {3}, Initializer::constant(2), DType::f64);
  const Value q = graph.parameter("q", {3}, Initializer::constant(2), DType::f64);
  Session session(graph, {.loss = sum(p * x) + sum(q * x),
                          .optimizer = SGD{.lr = 0.5, .weight_decay = 0.25},
                          .parameter_groups = {{.parameters = {q}, .optimizer = SGD{.lr = 0.5}}}});
  session.run({{x, std::vector<double>{1, 2, 3}}});
  EXPECT_THAT(
      std::vector<double>(session.view(p).as<double>().begin(), session.view(p).as<double>().end()),
      testing::ElementsAre(1.25, 0.75, 0.25));
  EXPECT_THAT(
      std::vector<double>(session.view(q).as<double>().begin(), session.view(q).as<double>().end()),
      testing::ElementsAre(1.5, 1, 0.5));
}

TEST(TrainingOptions, RefuseWhatMakesNoSense) {
  Net net(4, DType::f32);
  const auto refusal = [&](SessionOptions options) {
    options.loss = net.loss;
    return error_of([&] { Session(net.graph, options); });
  };
  EXPECT_THAT(refusal({.optimizer = SGD{}, .micro_batches = 0}),
              HasSubstr("micro_batches must be at least 1, got 0"));
  EXPECT_THAT(refusal({.micro_batches = 2}), HasSubstr("are for a session with an optimizer"));
  EXPECT_THAT(refusal({.gradient_scaling = ClipGradNorm{}}), HasSubstr("with an optimizer"));
  EXPECT_THAT(refusal({.parameter_groups = {{{net.w1}, SGD{}}}}), HasSubstr("with an optimizer"));
  EXPECT_THAT(refusal({.optimizer = SGD{}, .parameter_groups = {{{net.w1}, nullptr}}}),
              HasSubstr("has no optimizer"));
  EXPECT_THAT(refusal({.optimizer = SGD{}, .parameter_groups = {{{net.x}, SGD{}}}}),
              HasSubstr("'x', which is no parameter"));
  EXPECT_THAT(
      refusal({.optimizer = SGD{}, .parameter_groups = {{{net.w1}, SGD{}}, {{net.w1}, SGD{}}}}),
      HasSubstr("'fc1.weight' is in two groups"));
  EXPECT_THAT(refusal({.optimizer = SGD{.lr = 1}, .parameter_groups = {{{net.w1}, SGD{.lr = 2}}}}),
              HasSubstr("learning rate is 2, and the optimizer's is 1"));
  Session session(net.graph, {.loss = net.loss, .optimizer = SGD{}});
  EXPECT_THAT(error_of([&] { session.gradient_norm(); }), HasSubstr("no gradient_scaling"));
}

}  // namespace
}  // namespace gradmill
