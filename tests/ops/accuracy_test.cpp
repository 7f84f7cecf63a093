#include <gmock/gmock.h>
#include <gradmill/ops/accuracy.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using Labels = std::vector<std::int64_t>;
using testing::HasSubstr;

Builder with(const Labels& labels) {
  return [=](std::span<const Value> x) {
    const auto rows = static_cast<std::int64_t>(labels.size());
    return accuracy(x[0], x[0].graph().constant(std::span<const std::int64_t>(labels), {rows}),
                    "accuracy");
  };
}

double reference(const Array& logits, const Labels& labels) {
  double hits = 0;
  for (std::int64_t i = 0; i < logits.shape[0]; ++i) {
    std::int64_t best = 0;
    for (std::int64_t j = 1; j < logits.shape[1]; ++j) {
      if (logits(i, j) > logits(i, best)) best = j;
    }
    hits += best == labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  return hits / static_cast<double>(logits.shape[0]);
}

TEST(Accuracy, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    const std::int64_t rows = seed == 29 ? 5003 : random.integer(1, 50);
    const std::int64_t classes = random.integer(1, 40);
    SCOPED_TRACE(cat("seed ", seed, ": ", rows, " x ", classes));
    Array logits = random.array({rows, classes});
    // Few different numbers, so that there are ties.
    logits = map(logits, [](double value) { return std::round(2 * value); });
    Labels labels;
    for (std::int64_t i = 0; i < rows; ++i) {
      labels.push_back(random.integer(0, std::min<std::int64_t>(classes - 1, 3)));
    }
    expect_values(with(labels),
                  [&](const std::vector<Array>& x) { return Array({}, {reference(x[0], labels)}); },
                  {logits}, {.f32 = 1e-7, .f64 = 1e-15});
  }
}

TEST(Accuracy, TheFirstMaximumCountsAndNanIsTheLargest) {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto hit = [&](std::vector<double> row, std::int64_t label) {
    const auto classes = static_cast<std::int64_t>(row.size());
    const Array logits({1, classes}, std::move(row));
    const double f32 = evaluate(with({label}), {logits}, DType::f32)[0];
    EXPECT_EQ(f32, evaluate(with({label}), {logits}, DType::f64)[0]);
    return f32 == 1;
  };
  EXPECT_TRUE(hit({1, 3, 3}, 1));
  EXPECT_FALSE(hit({1, 3, 3}, 2));
  EXPECT_TRUE(hit({-inf, -inf}, 0));
  EXPECT_TRUE(hit({inf, nan, nan}, 1));
  EXPECT_FALSE(hit({inf, nan, nan}, 0));
  EXPECT_TRUE(hit({-0.0, 0.0}, 0));
}

TEST(Accuracy, HasNoGradient) {
  Graph graph;
  const Value x = graph.input("x", {2, 3});
  const Value labels = graph.input("labels", {2}, DType::i64);
  const Value result = accuracy(x, labels, "hits");
  EXPECT_THAT(error_of([&] { gradients(result, {x}); }),
              testing::AllOf(HasSubstr("accuracy 'hits'"), HasSubstr("no gradient")));
}

TEST(Accuracy, RefusesTypesThatDoNotFit) {
  EXPECT_THAT(refusal([](auto x) { return accuracy(x[0], x[1]); },
                      {{DType::f32, {4, 3}}, {DType::i64, {5}}}),
              testing::AllOf(HasSubstr("accuracy"), HasSubstr("[4, 3]"), HasSubstr("[5]")));
}

TEST(Accuracy, RefusesLabelsOutOfRangeAndGoesOn) {
  Graph graph;
  const Value x = graph.input("x", {200, 3});
  const Value labels = graph.input("labels", {200}, DType::i64);
  const Value result = accuracy(x, labels, "hits");
  Session session(graph, {.fetches = {result}});
  const std::vector<float> data(600, 0.5f);
  Labels values(200, 0);
  for (const std::int64_t bad : {-1, 3}) {
    values[77] = bad;
    values[150] = 99;
    EXPECT_THAT(error_of([&] {
                  session.run({{x, data}, {labels, values}});
                }),
                testing::AllOf(HasSubstr("accuracy 'hits'"), HasSubstr("77"),
                               HasSubstr(std::to_string(bad))));
  }
  values[77] = values[150] = 0;
  session.run({{x, data}, {labels, values}});
  EXPECT_EQ(session.fetch<float>(result), 1);
}

}  // namespace
}  // namespace gradmill
