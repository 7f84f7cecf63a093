#include <gmock/gmock.h>
#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using Labels = std::vector<std::int64_t>;
using testing::AllOf;
using testing::HasSubstr;

// One call, and what it is to compute.
struct Case {
  Shape rows = {1};
  std::int64_t features = 1;
  std::int64_t classes = 1;
  Reduction reduction = Reduction::mean;
  std::int64_t ignore_index = -100;
  double smoothing = 0;
  Labels labels = {};

  Shape x_shape() const {
    std::vector<std::int64_t> sizes = rows.sizes();
    sizes.push_back(features);
    return Shape(sizes);
  }
  bool ignored(std::int64_t r) const { return labels[static_cast<std::size_t>(r)] == ignore_index; }
  double counted() const {
    if (reduction != Reduction::mean) return 1;
    double count = 0;
    for (std::int64_t r = 0; r < rows.elements(); ++r) count += ignored(r) ? 0 : 1;
    return count;
  }

  // Every third row is ignored where some may be, but for the first.
  void draw_labels(Random& random, bool some_ignored) {
    labels.clear();
    for (std::int64_t r = 0; r < rows.elements(); ++r) {
      const std::int64_t label = random.integer(0, classes - 1);
      labels.push_back(some_ignored && r % 3 == 1 ? ignore_index : label);
    }
  }

  Builder composed() const {
    return [*this](std::span<const Value> x) {
      const std::int64_t n = rows.elements();
      const Value z = linear(reshape(x[0], {n, features}), x[1], x.size() > 2 ? x[2] : Value());
      const Value loss = cross_entropy(
          z, reshape(targets(x[0]), {n}),
          {.ignore_index = ignore_index, .reduction = reduction, .label_smoothing = smoothing});
      return reduction == Reduction::none ? reshape(loss, rows.sizes()) : loss;
    };
  }
  Value targets(Value x) const {
    return x.graph().constant(std::span<const std::int64_t>(labels), rows);
  }
};

// Inputs: x, weight, perhaps bias.
Builder build(const Case& tested) {
  return [tested](std::span<const Value> x) {
    return linear_cross_entropy(x[0], x[1], tested.targets(x[0]),
                                {.bias = x.size() > 2 ? x[2] : Value(),
                                 .reduction = tested.reduction,
                                 .ignore_index = tested.ignore_index,
                                 .label_smoothing = tested.smoothing},
                                "loss");
  };
}

// By obvious loops over rows and classes.
Array reference(const Case& tested, const std::vector<Array>& x) {
  const bool per_row = tested.reduction == Reduction::none;
  Array result(per_row ? tested.rows : Shape());
  for (std::int64_t r = 0; r < tested.rows.elements(); ++r) {
    if (tested.ignored(r)) continue;
    std::vector<double> z;
    for (std::int64_t c = 0; c < tested.classes; ++c) {
      double sum = x.size() > 2 ? x[2][c] : 0;
      for (std::int64_t k = 0; k < tested.features; ++k) {
        sum += x[0][r * tested.features + k] * x[1][c * tested.features + k];
      }
      z.push_back(sum);
    }
    const double most = *std::ranges::max_element(z);
    double s = 0;
    for (const double value : z) s += std::exp(value - most);
    const double log_sum = std::log(s) + most;
    double loss = 0;
    for (std::int64_t c = 0; c < tested.classes; ++c) {
      const double certain = c == tested.labels[static_cast<std::size_t>(r)] ? 1 : 0;
      const double q =
          (1 - tested.smoothing) * certain + tested.smoothing / static_cast<double>(tested.classes);
      loss += q * (log_sum - z[static_cast<std::size_t>(c)]);
    }
    result[per_row ? r : 0] += loss / tested.counted();
  }
  return result;
}

std::vector<Array> drawn_inputs(const Case& tested, Random& random, bool bias) {
  std::vector<Array> inputs = {random.array(tested.x_shape()),
                               random.array({tested.classes, tested.features})};
  if (bias) inputs.push_back(random.array({tested.classes}));
  return inputs;
}

TEST(LinearCrossEntropy, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    Case tested;
    tested.rows = random.shape(1 + static_cast<int>(seed % 3), 7);
    tested.features = random.integer(1, 40);
    tested.classes = random.integer(1, 150);
    tested.reduction = static_cast<Reduction>(seed % 3);
    tested.smoothing = seed % 4 == 0 ? 0.125 : 0;
    tested.draw_labels(random, seed % 2 == 1);
    SCOPED_TRACE(cat("seed ", seed, ": ", tested.x_shape(), " to ", tested.classes));
    expect_values(build(tested), [&](const std::vector<Array>& x) { return reference(tested, x); },
                  drawn_inputs(tested, random, seed % 5 != 0), {.f32 = 2e-5, .f64 = 1e-13});
  }
}

TEST(LinearCrossEntropy, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    Random random(seed);
    Case tested{.rows = seed % 2 == 0 ? Shape{5} : Shape{2, 3}, .features = 4, .classes = 7};
    tested.reduction = static_cast<Reduction>(seed % 3);
    tested.smoothing = seed % 4 < 2 ? 0.1 : 0;
    tested.draw_labels(random, seed % 2 == 1);
    SCOPED_TRACE(cat("seed ", seed));
    const std::vector<Array> inputs = drawn_inputs(tested, random, seed % 3 != 2);
    expect_gradients(build(tested), inputs);
    expect_second_gradients(build(tested), inputs);
  }
}

// All of one call: loss, then gradients for what is asked for.
std::vector<Array> trained(const Builder& build, const std::vector<Array>& inputs, DType dtype,
                           const std::vector<bool>& wanted, bool late, int threads) {
  Graph graph;
  std::vector<Value> x;
  for (const Array& array : inputs) x.push_back(constant(graph, array, dtype));
  const Value loss = build(x);
  std::vector<Value> wrt;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (wanted[i]) wrt.push_back(x[i]);
  }
  std::vector<Value> fetches = {loss};
  for (const Value& made : gradients(late ? sum(loss * loss) : sum(loss), std::span(wrt))) {
    fetches.push_back(made);
  }
  Session session(graph,
                  {.fetches = fetches, .threads = threads, .execution = Execution::flow_graph});
  const bool apart = std::ranges::any_of(session.plan().steps, [](const PlanStep& step) {
    return step.op == "linear_cross_entropy_backward";
  });
  const bool own = std::ranges::any_of(session.plan().steps, [](const PlanStep& step) {
    return step.op.starts_with("linear_cross_entropy");
  });
  EXPECT_EQ(apart, own && late) << "else the loss comes with its gradients";
  session.run();
  std::vector<Array> results;
  for (const Value& value : fetches) results.push_back(to_array(session.view(value)));
  return results;
}

// More than one block of rows, in both dtypes, the last of them shorter.
Case of_many_blocks(Random& random) {
  Case tested{.rows = {613}, .features = 33, .classes = 4003};
  tested.draw_labels(random, true);
  return tested;
}

TEST(LinearCrossEntropy, IsCrossEntropyOfALinearLayer) {
  Random random(3);
  Case many = of_many_blocks(random);
  Case small{.rows = {4, 9}, .features = 19, .classes = 37};
  small.draw_labels(random, true);
  for (Case tested : {small, many}) {
    for (const bool bias : {true, false}) {
      const std::vector<Array> inputs = rounded_to_f32(drawn_inputs(tested, random, bias));
      for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
        tested.reduction = reduction;
        tested.smoothing = bias ? 0.1 : 0;
        for (const bool late : {false, true}) {
          SCOPED_TRACE(cat(tested.x_shape(), bias ? " bias" : "", late ? " late" : ""));
          const std::vector<bool> all(inputs.size(), true);
          const auto expected = trained(tested.composed(), inputs, DType::f64, all, late, 2);
          const auto f64 = trained(build(tested), inputs, DType::f64, all, late, 2);
          const auto f32 = trained(build(tested), inputs, DType::f32, all, late, 2);
          ASSERT_EQ(expected.size(), f32.size());
          for (std::size_t i = 0; i < expected.size(); ++i) {
            expect_near(f64[i], expected[i], 1e-12);
            expect_near(f32[i], expected[i], 3e-4);  // losses of about 20 scale them
          }
        }
      }
    }
  }
}

TEST(LinearCrossEntropy, MakesOnlyTheGradientsThatAreNeeded) {
  Random random(5);
  Case tested{.rows = {11}, .features = 6, .classes = 13};
  tested.draw_labels(random, false);
  const std::vector<Array> inputs = drawn_inputs(tested, random, true);
  for (const bool late : {false, true}) {
    const auto all = trained(build(tested), inputs, DType::f64, {true, true, true}, late, 1);
    for (int mask = 1; mask < 7; ++mask) {
      const std::vector<bool> wanted = {(mask & 1) != 0, (mask & 2) != 0, (mask & 4) != 0};
      const auto some = trained(build(tested), inputs, DType::f64, wanted, late, 1);
      std::size_t next = 1;
      for (std::size_t i = 0; i < 3; ++i) {
        if (!wanted[i]) continue;
        EXPECT_EQ(some[next++].data, all[i + 1].data) << mask << " " << i;
      }
      EXPECT_EQ(next, some.size());
    }
  }
}

TEST(LinearCrossEntropy, GivesTheSameBitsOnAnyNumberOfThreads) {
  Random random(7);
  const Case tested = of_many_blocks(random);
  const std::vector<Array> inputs = rounded_to_f32(drawn_inputs(tested, random, true));
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const bool late : {false, true}) {
      const std::vector<bool> all(inputs.size(), true);
      const auto one = trained(build(tested), inputs, dtype, all, late, 1);
      for (const int threads : {2, 3, 8}) {
        const auto more = trained(build(tested), inputs, dtype, all, late, threads);
        for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].data, more[i].data);
      }
    }
  }
}

TEST(LinearCrossEntropy, LargeProductsGiveTheSameBitsAndNumbers) {
  Random random(8);
  Case tested{.rows = {280}, .features = 130, .classes = 16411};
  tested.draw_labels(random, false);
  const std::vector<Array> inputs = rounded_to_f32(drawn_inputs(tested, random, false));
  const std::vector<bool> all(inputs.size(), true);
  const auto one = trained(build(tested), inputs, DType::f32, all, false, 1);
  const auto three = trained(build(tested), inputs, DType::f32, all, false, 3);
  const auto expected = trained(tested.composed(), inputs, DType::f32, all, false, 2);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].data, three[i].data);
    expect_near(one[i], expected[i], 1e-4);
  }
}

TEST(LinearCrossEntropy, HoldsABlockOfLogitsOnly) {
  Graph graph;
  const Value x = graph.input("x", {2048, 16});
  const Value labels = graph.input("labels", {2048}, DType::i64);
  const Value weight = graph.parameter("weight", {9000, 16}, Initializer::constant(1));
  const Value loss = linear_cross_entropy(x, weight, labels);
  const Session session(graph, {.loss = loss, .optimizer = SGD{}});
  std::size_t steps = 0;
  for (const PlanStep& step : session.plan().steps) {
    if (step.op == "linear_cross_entropy" && step.kernel_phase == 0) {
      ++steps;
      EXPECT_EQ(step.outputs.size(), 2U) << "the loss and the weight's gradient";
    }
  }
  EXPECT_EQ(steps, 1U);
  // All logits would be 74 MB.
  EXPECT_LT(session.plan().arena_bytes, 12U << 20U);
}

TEST(LinearCrossEntropy, LargeLogitsAndIgnoredRowsStayFinite) {
  Case tested{.rows = {3}, .features = 2, .classes = 5, .ignore_index = 2, .labels = {4, 2, 0}};
  const Array x({3, 2}, {3e4, 0, 1e4, 1e4, 0, -3e4});
  const Array weight({5, 2}, {1, 1, 0, 1, -1, 0, 0, -1, 1, 0});
  const auto made = trained(build(tested), {x, weight}, DType::f32, {true, true}, false, 1);
  for (const Array& array : made) {
    for (const double value : array.data) EXPECT_TRUE(std::isfinite(value));
  }
  EXPECT_NEAR(made[0][0], (std::log(2.0) + 6e4) / 2, 1);
  EXPECT_EQ(made[1][2], 0) << "an ignored row";
  EXPECT_EQ(made[1][3], 0);

  tested.labels = {2, 2, 2};
  const auto none = trained(build(tested), {x, weight}, DType::f64, {true, true}, false, 1);
  EXPECT_TRUE(std::isnan(none[0][0]));
  for (const double value : none[2].data) EXPECT_EQ(value, 0);
}

std::string refused(const Type& x, const Type& weight, const Type& targets,
                    std::optional<Type> bias = {}, LinearCrossEntropyOptions options = {}) {
  std::vector<Type> types = {x, weight, targets};
  if (bias) types.push_back(*bias);
  return refusal(
      [&](std::span<const Value> values) {
        if (bias) options.bias = values[3];
        return linear_cross_entropy(values[0], values[1], values[2], options, "loss");
      },
      types);
}

TEST(LinearCrossEntropy, RefusesWhatDoesNotFit) {
  const Type x{DType::f32, {4, 3}};
  const Type weight{DType::f32, {10, 3}};
  const Type labels{DType::i64, {4}};
  EXPECT_THAT(refused({DType::f32, {3}}, weight, labels),
              AllOf(HasSubstr("linear_cross_entropy 'loss'"), HasSubstr("got f32 [3]")));
  EXPECT_THAT(refused({DType::i64, {4, 3}}, weight, labels), HasSubstr("got i64 [4, 3]"));
  EXPECT_THAT(refused(x, {DType::f32, {10, 4}}, labels),
              AllOf(HasSubstr("[4, 3]"), HasSubstr("[C, 3]"), HasSubstr("got f32 [10, 4]")));
  EXPECT_THAT(refused(x, {DType::f64, {10, 3}}, labels), HasSubstr("got f64 [10, 3]"));
  EXPECT_THAT(refused(x, weight, {DType::i64, {5}}),
              AllOf(HasSubstr("i64 [4]"), HasSubstr("got i64 [5]")));
  EXPECT_THAT(refused(x, weight, {DType::f32, {4, 10}}), HasSubstr("got f32 [4, 10]"));
  EXPECT_THAT(refused(x, weight, labels, Type{DType::f32, {3}}),
              AllOf(HasSubstr("must be f32 [10]"), HasSubstr("got f32 [3]")));
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(refused(x, weight, labels, {}, {.label_smoothing = bad}),
                AllOf(HasSubstr("label_smoothing"), HasSubstr("[0, 1]")));
  }
}

TEST(LinearCrossEntropy, RefusesLabelsOutOfRangeAndGoesOn) {
  for (const bool training : {false, true}) {
    Graph graph;
    const Value x = graph.input("x", {300, 4});
    const Value labels = graph.input("labels", {300}, DType::i64);
    const Value w = graph.parameter("w", {6, 4}, Initializer::constant(1));
    const Value loss = linear_cross_entropy(x, w, labels, {}, "loss");
    SessionOptions options{.loss = loss, .threads = 2, .execution = Execution::flow_graph};
    if (training) options.optimizer = SGD{.lr = 0.1};
    Session session(graph, options);
    const std::vector<float> data(1200, 1.0F);
    Labels fed(300, 5);
    fed[17] = 6;
    fed[200] = -1;
    EXPECT_THAT(error_of([&] {
                  session.run({{x, data}, {labels, fed}});
                }),
                HasSubstr("linear_cross_entropy 'loss': label 6 at row 17 is out of range [0, 6)"));
    fed[17] = fed[200] = 0;
    session.run({{x, data}, {labels, fed}});
    EXPECT_NEAR(to_array(session.view(loss))[0], std::log(6.0), 1e-5);
  }
}

}  // namespace
}  // namespace gradmill
