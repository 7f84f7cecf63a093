// The loss and its gradient for logits of every size, against the definition in long double.

#include <gradmill/ops/cross_entropy.h>
#include <gtest/gtest.h>

#include "extreme_rows.h"

namespace gradmill {
namespace {

using Labels = std::vector<std::int64_t>;

template <class T>
class CrossEntropyExtremes : public testing::Test {
 protected:
  static constexpr DType kType = dtype_of<T>();
  static constexpr long double kUnit = std::numeric_limits<T>::epsilon() / 2;

  // As labels of every row, logits [B, C] or [1, C, B].
  static Builder with(const Labels& labels, bool middle, CrossEntropyOptions options = {}) {
    return [=](std::span<const Value> x) {
      const auto rows = static_cast<std::int64_t>(labels.size());
      const Shape shape = middle ? Shape{1, rows} : Shape{rows};
      return cross_entropy(
          x[0], x[0].graph().constant(std::span<const std::int64_t>(labels), shape), options);
    };
  }
  static Builder gradient_with(const Labels& labels, bool middle,
                               CrossEntropyOptions options = {}) {
    return [=](std::span<const Value> x) {
      return gradients(with(labels, middle, options)(x), {x[0]})[0];
    };
  }

  // Every class of the row is the label once: as many rows as classes, all alike.
  static void expect_row(const std::vector<double>& row, bool middle) {
    SCOPED_TRACE(cat("logits ", text_of(row), middle ? " along the middle" : ""));
    const LongRow exact(row);
    const auto n = static_cast<std::int64_t>(row.size());
    Labels labels;
    Array logits(middle ? Shape{1, n, n} : Shape{n, n});
    for (std::int64_t i = 0; i < n; ++i) {
      labels.push_back(i);
      for (std::int64_t j = 0; j < n; ++j) {
        logits[middle ? j * n + i : i * n + j] = row[static_cast<std::size_t>(j)];
      }
    }
    // As in extremes_test.cpp: relative errors of p, of the others' sum and so of its log1p, also
    // where they are very small.
    const long double roundings =
        (sizeof(T) == 4 ? 104 : 745) + 30 + 2 * static_cast<long double>(n);
    const Allowed allowed{roundings * kUnit, 3 * std::numeric_limits<T>::denorm_min()};
    const CrossEntropyOptions each{.reduction = Reduction::none};
    const Array loss = evaluate(with(labels, middle, each), {logits}, kType);
    const Array gradient = evaluate(gradient_with(labels, middle, each), {logits}, kType);
    const Array of_sum =
        evaluate(gradient_with(labels, middle, {.reduction = Reduction::sum}), {logits}, kType);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto label = static_cast<std::size_t>(i);
      EXPECT_TRUE(agrees<T>(loss[i], -exact.logarithm(label), allowed))
          << "loss for label " << i << " is " << loss[i] << " rather than "
          << -exact.logarithm(label);
      for (std::int64_t j = 0; j < n; ++j) {
        const auto c = static_cast<std::size_t>(j);
        const std::int64_t at = middle ? j * n + i : i * n + j;
        const long double expected = i == j ? -exact.complement(c) : exact.probability(c);
        EXPECT_TRUE(agrees<T>(gradient[at], expected, allowed))
            << "gradient " << j << " for label " << i << " is " << gradient[at] << " rather than "
            << expected;
        EXPECT_TRUE(agrees<T>(of_sum[at], expected, allowed))
            << "the sum's gradient " << j << " for label " << i << " is " << of_sum[at]
            << " rather than " << expected;
      }
    }
  }
};

using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(CrossEntropyExtremes, Floating);

TYPED_TEST(CrossEntropyExtremes, LossAndGradientAreRightForRowsOfEverySize) {
  for (const bool middle : {false, true}) {
    for (const auto& row : extreme_rows<TypeParam>()) {
      this->expect_row(row, middle);
      this->expect_row(among_nothing(row), middle);
    }
  }
}

TYPED_TEST(CrossEntropyExtremes, AHundredThousandClassesKeepTheirDigits) {
  constexpr std::int64_t kClasses = 100'000;
  constexpr double kTolerance = sizeof(TypeParam) == 4 ? 3e-6 : 1e-14;
  Random random(2);
  const Array x = rounded_to_f32({random.array({2, kClasses}, -4, 4)})[0];
  const Labels labels = {5, kClasses - 1};
  const Array loss =
      evaluate(this->with(labels, false, {.reduction = Reduction::none}), {x}, this->kType);
  const Array gradient =
      evaluate(this->gradient_with(labels, false, {.reduction = Reduction::sum}), {x}, this->kType);
  for (std::int64_t r = 0; r < 2; ++r) {
    const std::vector<double> row(x.data.begin() + r * kClasses,
                                  x.data.begin() + (r + 1) * kClasses);
    const LongRow exact(row);
    const std::int64_t label = labels[static_cast<std::size_t>(r)];
    const long double expected = -exact.logarithm(static_cast<std::size_t>(label));
    EXPECT_TRUE(agrees<TypeParam>(loss[r], expected, {kTolerance, 0})) << loss[r] << expected;
    for (std::int64_t j = 0; j < kClasses; ++j) {
      const auto c = static_cast<std::size_t>(j);
      const long double g = j == label ? -exact.complement(c) : exact.probability(c);
      ASSERT_TRUE(agrees<TypeParam>(gradient[r * kClasses + j], g, {kTolerance, 0})) << j;
    }
  }
}

TYPED_TEST(CrossEntropyExtremes, ASingleClassCostsNothing) {
  const Array x({1000, 1}, 1e30);
  const Labels labels(1000, 0);
  EXPECT_EQ(evaluate(this->with(labels, false), {x}, this->kType)[0], 0);
  for (const double g : evaluate(this->gradient_with(labels, false), {x}, this->kType).data) {
    ASSERT_EQ(g, 0);
  }
}

TYPED_TEST(CrossEntropyExtremes, IgnoredRowsAreZeroWhateverIsInThem) {
  const std::int64_t ignored = -100;
  const Array x({5, 2}, {kNan, 0, 1, 1, kInf, 0, -kInf, -kInf, kNan, kInf});
  const Labels labels = {ignored, 1, ignored, ignored, ignored};
  EXPECT_NEAR(evaluate(this->with(labels, false), {x}, this->kType)[0], std::log(2.0), 1e-6);
  const Array g = evaluate(this->gradient_with(labels, false), {x}, this->kType);
  EXPECT_EQ(g.data, (std::vector<double>{0, 0, 0.5, -0.5, 0, 0, 0, 0, 0, 0}));
  const Labels all(5, ignored);
  EXPECT_TRUE(std::isnan(evaluate(this->with(all, false), {x}, this->kType)[0]));
  EXPECT_EQ(evaluate(this->with(all, false, {.reduction = Reduction::sum}), {x}, this->kType)[0],
            0);
}

TYPED_TEST(CrossEntropyExtremes, AClassThatCountsForNothingAddsNothing) {
  const auto loss_of = [&](std::vector<double> probabilities, double smoothing) {
    return evaluate(
        [&](std::span<const Value> x) {
          return cross_entropy(x[0], x[1], {.label_smoothing = smoothing});
        },
        {Array({1, 3}, {-kInf, 0, 0}), Array({1, 3}, std::move(probabilities))}, this->kType)[0];
  };
  EXPECT_NEAR(loss_of({0, 0.5, 0.5}, 0), std::log(2.0), 1e-6);
  EXPECT_EQ(loss_of({0.25, 0.5, 0.25}, 0), kInf);
  EXPECT_EQ(loss_of({0, 0.5, 0.5}, 0.1), kInf);
  // Its weight is zero.
  const auto weighted = [&](std::int64_t label, double smoothing) {
    return evaluate(
        [&](std::span<const Value> x) {
          const Labels labels = {label};
          const Value target =
              x[0].graph().constant(std::span<const std::int64_t>(labels), Shape{1});
          return cross_entropy(
              x[0], target,
              {.weight = x[1], .reduction = Reduction::sum, .label_smoothing = smoothing});
        },
        {Array({1, 3}, {-kInf, 0, 0}), Array({3}, {0, 1, 2})}, this->kType)[0];
  };
  EXPECT_EQ(weighted(0, 0), 0);
  EXPECT_NEAR(weighted(2, 0), 2 * std::log(2.0), 1e-6);
  EXPECT_NEAR(weighted(2, 0.3), (2 * 0.7 + 0.1 * (1 + 2)) * std::log(2.0), 1e-6);
}

}  // namespace
}  // namespace gradmill
