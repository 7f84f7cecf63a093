#include <gmock/gmock.h>
#include <gradmill/ops/cross_entropy.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using Labels = std::vector<std::int64_t>;
using testing::AllOf;
using testing::HasSubstr;

std::string refused(const Type& logits, const Type& targets, CrossEntropyOptions options = {},
                    std::optional<Type> weight = {}) {
  std::vector<Type> types = {logits, targets};
  if (weight) types.push_back(*weight);
  return refusal(
      [&](std::span<const Value> x) {
        if (weight) options.weight = x[2];
        return cross_entropy(x[0], x[1], options, "loss");
      },
      types);
}

TEST(CrossEntropy, RefusesTypesThatDoNotFit) {
  const Type logits{DType::f32, {4, 10}};
  const Type labels{DType::i64, {4}};
  EXPECT_THAT(refused(logits, {DType::i64, {5}}),
              AllOf(HasSubstr("cross_entropy 'loss'"), HasSubstr("[4, 10]"), HasSubstr("[5]")));
  EXPECT_THAT(refused({DType::f32, {4}}, labels), AllOf(HasSubstr("[B, C]"), HasSubstr("f32 [4]")));
  EXPECT_THAT(refused(logits, {DType::f32, {4}}),
              AllOf(HasSubstr("labels, i64 [4]"), HasSubstr("probabilities, f32 [4, 10]"),
                    HasSubstr("got f32 [4]")));
  EXPECT_THAT(refused({DType::i64, {4, 10}}, labels), HasSubstr("f32"));
  EXPECT_THAT(refused({DType::f32, {4, 10, 2, 3}}, {DType::i64, {4, 2}}),
              AllOf(HasSubstr("i64 [4, 2, 3]"), HasSubstr("got i64 [4, 2]")));
  EXPECT_THAT(refused(logits, {DType::f64, {4, 10}}), HasSubstr("got f64 [4, 10]"));
  EXPECT_THAT(refused(logits, labels, {}, Type{DType::f32, {4}}),
              AllOf(HasSubstr("weight"), HasSubstr("must be f32 [10]"), HasSubstr("got f32 [4]")));
  EXPECT_THAT(refused(logits, labels, {}, Type{DType::f64, {10}}), HasSubstr("got f64 [10]"));
}

TEST(CrossEntropy, RefusesOptionsOutOfRange) {
  const Type logits{DType::f32, {4, 10}};
  const Type labels{DType::i64, {4}};
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(refused(logits, labels, {.label_smoothing = bad}),
                AllOf(HasSubstr("label_smoothing"), HasSubstr("[0, 1]")));
  }
  EXPECT_THAT(refused(logits, logits, {.ignore_index = 3}), HasSubstr("ignore_index"));
  EXPECT_THAT(refused(logits, labels, {.reduction = static_cast<Reduction>(9)}),
              AllOf(HasSubstr("cross_entropy 'loss'"), HasSubstr("reduction 9")));
}

TEST(CrossEntropy, RefusesTheGradientOfTheWeight) {
  for (const Type& targets : {Type{DType::i64, {4}}, Type{DType::f32, {4, 3}}}) {
    Graph graph;
    const Value logits = graph.input("logits", {4, 3});
    const Value weight = graph.input("weight", {3});
    const Value loss = cross_entropy(logits, graph.input("targets", targets.shape, targets.dtype),
                                     {.weight = weight}, "loss");
    EXPECT_THAT(error_of([&] { gradients(loss, {weight}); }),
                AllOf(HasSubstr("cross_entropy 'loss'"), HasSubstr("weight")));
  }
}

TEST(CrossEntropy, RefusesLabelsOutOfRangeAndGoesOn) {
  for (const bool training : {false, true}) {
    for (const int threads : {1, 2}) {
      Graph graph;
      const Value x = graph.input("x", {300, 4});
      const Value labels = graph.input("labels", {300}, DType::i64);
      const Value w = graph.parameter("w", {4}, Initializer::constant(1));
      const Value loss = cross_entropy(x * w, labels, {}, "loss");
      SessionOptions options{.loss = loss, .threads = threads, .execution = Execution::flow_graph};
      if (training) options.optimizer = SGD{.lr = 0.1};
      Session session(graph, options);
      const std::vector<float> data(1200, 0.5f);
      Labels good(300, 3);
      session.run({{x, data}, {labels, good}});
      const auto before = session.view(w).as<float>();
      const std::vector<float> kept(before.begin(), before.end());
      for (const std::int64_t bad :
           {std::int64_t{-1}, std::int64_t{-99}, std::int64_t{4}, std::int64_t{1} << 40}) {
        Labels wrong = good;
        wrong[250] = 4;
        wrong[117] = bad;
        EXPECT_THAT(error_of([&] {
                      session.run({{x, data}, {labels, wrong}});
                    }),
                    AllOf(HasSubstr("cross_entropy 'loss'"), HasSubstr("row 117"),
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

TEST(CrossEntropy, NamesTheFirstOfSeveralBadLabelsInSeveralTiles) {
  constexpr std::int64_t kRows = 100'000;
  Graph graph;
  const Value labels = graph.input("labels", {kRows}, DType::i64);
  const Value loss = cross_entropy(graph.constant(0.0, {kRows, 2}), labels, {}, "loss");
  Labels wrong(kRows, 1);
  for (const std::size_t row : {40'000U, 55'000U, 90'000U}) wrong[row] = 2;
  for (const int threads : {1, 2, 4}) {
    Session session(graph, {.loss = loss, .threads = threads, .execution = Execution::flow_graph});
    for (int repeat = 0; repeat < 5; ++repeat) {
      EXPECT_THAT(error_of([&] { session.run({{labels, wrong}}); }), HasSubstr("row 40000"));
    }
  }
}

TEST(CrossEntropy, NamesThePlaceOfABadLabelByItsIndices) {
  Graph graph;
  const Value loss = cross_entropy(graph.constant(0.0, {2, 2, 3}),
                                   graph.input("labels", {2, 3}, DType::i64), {}, "loss");
  Session session(graph, {.loss = loss});
  EXPECT_THAT(error_of([&] {
                session.run({{graph.find("labels"), Labels{0, 1, 0, 1, 0, 7}}});
              }),
              AllOf(HasSubstr("label 7 at [1, 2]"), HasSubstr("[0, 2)")));
}

}  // namespace
}  // namespace gradmill
