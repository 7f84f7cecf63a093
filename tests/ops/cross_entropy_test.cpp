#include <gmock/gmock.h>
#include <gradmill/ops/cross_entropy.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using Labels = std::vector<std::int64_t>;
using testing::HasSubstr;

const double kInf = std::numeric_limits<double>::infinity();

Labels random_labels(Random& random, std::int64_t rows, std::int64_t classes) {
  Labels labels;
  for (std::int64_t i = 0; i < rows; ++i) labels.push_back(random.integer(0, classes - 1));
  return labels;
}

// The labels as a constant, so that only the logits are inputs.
Builder with(const Labels& labels) {
  return [=](std::span<const Value> x) {
    const auto rows = static_cast<std::int64_t>(labels.size());
    return cross_entropy(x[0], x[0].graph().constant(std::span<const std::int64_t>(labels), {rows}),
                         "loss");
  };
}

// d(loss)/d(logits), by the formula: (softmax - one-hot) / rows.
Builder gradient_with(const Labels& labels) {
  return [=](std::span<const Value> x) { return gradients(with(labels)(x), {x[0]})[0]; };
}

Array reference_gradient(const Array& logits, const Labels& labels) {
  Array gradient = softmax(logits, 1, false);
  for (std::int64_t i = 0; i < gradient.shape[0]; ++i) {
    gradient(i, labels[static_cast<std::size_t>(i)]) -= 1;
  }
  return map(gradient, [&](double g) { return g / static_cast<double>(gradient.shape[0]); });
}

void expect_loss_and_gradient(const Array& logits, const Labels& labels) {
  expect_values(
      with(labels),
      [&](const std::vector<Array>& x) { return Array({}, {cross_entropy(x[0], labels)}); },
      {logits}, {.f32 = 2e-6, .f64 = 1e-13});
  expect_values(gradient_with(labels),
                [&](const std::vector<Array>& x) { return reference_gradient(x[0], labels); },
                {logits}, {.f32 = 1e-6, .f64 = 1e-13});
}

TEST(CrossEntropy, LossAndGradientMatchTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const std::int64_t rows = random.integer(0, 4) == 0 ? 1 : random.integer(1, 40);
    const std::int64_t classes = random.integer(0, 4) == 0 ? 1 : random.integer(1, 70);
    SCOPED_TRACE(cat("seed ", seed, ": ", rows, " x ", classes));
    const Labels labels = random_labels(random, rows, classes);
    const Array logits = random.array({rows, classes}, -9, 9);
    expect_loss_and_gradient(logits, labels);
  }
}

TEST(CrossEntropy, ManyRowsAndClassesMatchTheReference) {
  for (const auto& [rows, classes] :
       {std::pair(701, 10), std::pair(3, 5003), std::pair(129, 1000)}) {
    SCOPED_TRACE(cat(rows, " x ", classes));
    Random random(1);
    const Labels labels = random_labels(random, rows, classes);
    const Array logits = random.array({rows, classes}, -3, 3);
    expect_loss_and_gradient(logits, labels);
  }
}

TEST(CrossEntropy, GradientsMatchCentralDifferences) {
  Random random(2);
  const Labels labels = {2, 0, 4};
  expect_gradients(with(labels), {random.array({3, 5})});
  // Behind a factor the upstream is no longer one, and with a second reader nothing is fused.
  expect_gradients([&](auto x) { return 3.0 * with(labels)(x) + sum(x[0] * x[0]); },
                   {random.array({3, 5})});
}

TEST(CrossEntropy, IsExactForLogitsOfAnySize) {
  const Array logits({5, 3}, {1e30, -1e30, 0, 1e30, 1e30, -1e30, -kInf, 0, 1, -kInf, 5, -kInf,
                              -1e30, -1e30, -1e30});
  const Labels labels = {0, 1, 2, 1, 0};
  const double expected = (0 + std::log(2) + std::log1p(std::exp(-1.0)) + 0 + std::log(3)) / 5;
  for (const DType dtype : {DType::f32, DType::f64}) {
    EXPECT_NEAR(evaluate(with(labels), {logits}, dtype)[0], expected, 1e-6);
    const Array gradient = evaluate(gradient_with(labels), {logits}, dtype);
    expect_near(gradient, reference_gradient(logits, labels), 1e-6);
    EXPECT_EQ(gradient(2, 0), 0);
  }
  // The label's logit is far below, or -inf.
  EXPECT_NEAR(evaluate(with({1}), {Array({1, 2}, {1e30, -1e30})}, DType::f32)[0], 2e30, 1e24);
  EXPECT_EQ(evaluate(with({0}), {Array({1, 2}, {-kInf, 0})}, DType::f32)[0], kInf);
  EXPECT_TRUE(std::isnan(evaluate(with({0}), {Array({1, 2}, {-kInf, -kInf})}, DType::f32)[0]));
}

TEST(CrossEntropy, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(3);
  for (const auto& [rows, classes] : {std::pair(3001, 37), std::pair(67, 4001)}) {
    const Labels labels = random_labels(random, rows, classes);
    expect_same_bits(with(labels), {random.array({rows, classes})});
  }
}

TEST(CrossEntropy, RefusesTypesThatDoNotFit) {
  const auto build = [](std::span<const Value> x) { return cross_entropy(x[0], x[1], "loss"); };
  EXPECT_THAT(
      refusal(build, {{DType::f32, {4, 10}}, {DType::i64, {5}}}),
      testing::AllOf(HasSubstr("cross_entropy 'loss'"), HasSubstr("[4, 10]"), HasSubstr("[5]")));
  EXPECT_THAT(refusal(build, {{DType::f32, {4}}, {DType::i64, {4}}}), HasSubstr("[4]"));
  EXPECT_THAT(refusal(build, {{DType::f32, {4, 10}}, {DType::f32, {4}}}), HasSubstr("i64"));
  EXPECT_THAT(refusal(build, {{DType::i64, {4, 10}}, {DType::i64, {4}}}), HasSubstr("f32"));
}

TEST(CrossEntropy, RefusesLabelsOutOfRangeAndGoesOn) {
  for (const bool training : {false, true}) {
    for (const int threads : {1, 2}) {
      Graph graph;
      const Value x = graph.input("x", {300, 4});
      const Value labels = graph.input("labels", {300}, DType::i64);
      const Value w = graph.parameter("w", {4}, Initializer::constant(1));
      const Value loss = cross_entropy(x * w, labels, "loss");
      SessionOptions options{.loss = loss, .threads = threads, .execution = Execution::flow_graph};
      if (training) options.optimizer = SGD{.lr = 0.1};
      Session session(graph, options);
      const std::vector<float> data(1200, 0.5f);
      Labels good(300, 3);
      session.run({{x, data}, {labels, good}});
      const auto before = session.view(w).as<float>();
      const std::vector<float> kept(before.begin(), before.end());
      for (const std::int64_t bad : {std::int64_t{-1}, std::int64_t{4}, std::int64_t{1} << 40}) {
        Labels wrong = good;
        wrong[250] = 4;
        wrong[117] = bad;
        EXPECT_THAT(error_of([&] {
                      session.run({{x, data}, {labels, wrong}});
                    }),
                    testing::AllOf(HasSubstr("cross_entropy 'loss'"), HasSubstr("117"),
                                   HasSubstr(std::to_string(bad))));
        EXPECT_EQ(std::vector<float>(session.view(w).as<float>().begin(),
                                     session.view(w).as<float>().end()),
                  kept);
      }
      session.run({{x, data}, {labels, good}});
      EXPECT_NEAR(session.fetch<float>(loss), std::log(4.0), 0.1);
    }
  }
}

}  // namespace
}  // namespace gradmill
