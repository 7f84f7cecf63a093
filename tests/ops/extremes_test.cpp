// Softmax and its logarithm for logits of every size, against the definition in long double. Those
// of the loss are in cross_entropy_extremes_test.cpp.

#include <gradmill/ops/softmax.h>
#include <gtest/gtest.h>

#include "extreme_rows.h"
#include "support/error_of.h"

namespace gradmill {
namespace {

enum class Layout : std::uint8_t { row, column };

// Results and gradient of one softmax, which lies along a row or along one of several columns.
class Evaluated {
 public:
  Evaluated(const std::vector<double>& row, const std::vector<double>& upstream, bool logarithm,
            Layout layout, DType dtype) {
    const auto n = static_cast<std::int64_t>(row.size());
    const bool column = layout == Layout::column;
    const Shape shape = column ? Shape{n, kColumns} : Shape{2, n};
    const auto placed = [&](const std::vector<double>& values) {
      Array x(shape);
      for (std::int64_t i = 0; i < x.size(); ++i) {
        x[i] = values[static_cast<std::size_t>(column ? i / kColumns : i % n)];
      }
      return x;
    };
    const Builder build = [=](std::span<const Value> x) {
      const int axis = column ? 0 : -1;
      return logarithm ? log_softmax(x[0], axis) : softmax(x[0], axis);
    };
    const Builder gradient = [=](std::span<const Value> x) {
      return gradients({build(x)}, {x[0]}, {x[1]})[0];
    };
    const Array all_y = evaluate(build, {placed(row)}, dtype);
    const Array all_dx = evaluate(gradient, {placed(row), placed(upstream)}, dtype);
    for (std::int64_t i = 0; i < n; ++i) {
      // The last row, and the last of the columns: it is in the part of a vector that is left over.
      const std::int64_t at = column ? i * kColumns + kColumns - 1 : n + i;
      y.push_back(all_y[at]);
      dx.push_back(all_dx[at]);
    }
  }
  std::vector<double> y, dx;

 private:
  static constexpr std::int64_t kColumns = 19;
};

template <class T>
void expect_softmax(const std::vector<double>& row, Layout layout) {
  SCOPED_TRACE(cat("softmax of ", text_of(row)));
  const LongRow exact(row);
  std::vector<double> upstream;
  for (std::size_t i = 0; i < row.size(); ++i) upstream.push_back(i % 3 == 1 ? -0.75 : 1.5);
  const Evaluated got(row, upstream, false, layout, dtype_of<T>());

  // x - m is rounded, which changes exp by as many roundings as it is large: at most 745, or 104 in
  // f32, before exp is 0. Then there is exp itself, the sum and a reciprocal. A denormal result is
  // a multiple of the smallest, to which exp and the product with the reciprocal each round.
  constexpr long double kUnit = std::numeric_limits<T>::epsilon() / 2;
  constexpr long double kSmallest = std::numeric_limits<T>::denorm_min();
  const long double roundings =
      (sizeof(T) == 4 ? 104 : 745) + 20 + static_cast<long double>(row.size());
  const Allowed allowed{roundings * kUnit, 2 * kSmallest};
  long double dot = 0;
  for (std::size_t i = 0; i < row.size(); ++i) dot += exact.probability(i) * upstream[i];
  for (std::size_t i = 0; i < row.size(); ++i) {
    const long double p = exact.probability(i);
    EXPECT_TRUE(agrees<T>(got.y[i], p, allowed))
        << "p[" << i << "] = " << got.y[i] << " rather than " << p;
    // dy - sum y dy has terms of at most 1.5.
    const Allowed of_gradient{0, p * 6 * roundings * kUnit + 8 * kSmallest};
    EXPECT_TRUE(agrees<T>(got.dx[i], p * (upstream[i] - dot), of_gradient))
        << "dx[" << i << "] = " << got.dx[i] << " rather than " << p * (upstream[i] - dot);
  }
}

template <class T>
void expect_log_softmax(const std::vector<double>& row, Layout layout) {
  SCOPED_TRACE(cat("log_softmax of ", text_of(row)));
  const LongRow exact(row);
  std::vector<double> upstream;
  long double total = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    upstream.push_back(i % 3 == 1 ? -0.75 : 1.5);
    total += upstream.back();
  }
  const Evaluated got(row, upstream, true, layout, dtype_of<T>());

  // x - m is rounded; log s, or log1p of what the others add to 1, has the relative error of its
  // argument, and is never more than the result, to which it is added with one sign.
  constexpr long double kUnit = std::numeric_limits<T>::epsilon() / 2;
  constexpr long double kSmallest = std::numeric_limits<T>::denorm_min();
  const auto n = static_cast<long double>(row.size());
  const long double largest = sizeof(T) == 4 ? 104 : 745;
  const Allowed allowed{(largest + 2 * n + 30) * kUnit, 3 * kSmallest};
  for (std::size_t i = 0; i < row.size(); ++i) {
    const long double logarithm = exact.logarithm(i);
    EXPECT_TRUE(agrees<T>(got.y[i], logarithm, allowed))
        << "y[" << i << "] = " << got.y[i] << " rather than " << logarithm;
    const long double p = exact.probability(i);
    // e^y is as far off as y is, which is 2 roundings of the largest there is, and its own.
    const long double roundings = 2 * largest + 2 * n + 24;
    const Allowed of_gradient{0, (p * (roundings * std::abs(total) + n * n * 2) + 2) * kUnit};
    EXPECT_TRUE(agrees<T>(got.dx[i], upstream[i] - p * total, of_gradient))
        << "dx[" << i << "] = " << got.dx[i] << " rather than " << upstream[i] - p * total;
  }
}

template <class T>
class Extremes : public testing::Test {};
using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(Extremes, Floating);

TYPED_TEST(Extremes, SoftmaxIsRightForRowsOfEverySize) {
  for (const Layout layout : {Layout::row, Layout::column}) {
    SCOPED_TRACE(layout == Layout::row ? "row" : "column");
    for (const auto& row : extreme_rows<TypeParam>()) {
      expect_softmax<TypeParam>(row, layout);
      expect_softmax<TypeParam>(among_nothing(row), layout);
    }
  }
}

TYPED_TEST(Extremes, LogSoftmaxIsRightForRowsOfEverySize) {
  for (const Layout layout : {Layout::row, Layout::column}) {
    SCOPED_TRACE(layout == Layout::row ? "row" : "column");
    for (const auto& row : extreme_rows<TypeParam>()) {
      expect_log_softmax<TypeParam>(row, layout);
      expect_log_softmax<TypeParam>(among_nothing(row), layout);
    }
  }
}

TYPED_TEST(Extremes, AHundredThousandClassesKeepTheirDigits) {
  constexpr std::int64_t kClasses = 100'000;
  constexpr double kTolerance = sizeof(TypeParam) == 4 ? 3e-6 : 1e-14;
  Random random(1);
  const Array equal({1, kClasses}, 3);
  Array peak({1, kClasses}, -1e30);
  peak[77'777] = -1e29;
  const Array drawn = rounded_to_f32({random.array({1, kClasses}, -4, 4)})[0];
  for (const Array& x : {equal, peak, drawn}) {
    const LongRow exact(x.data);
    for (const bool column : {false, true}) {
      const Builder build = [&](std::span<const Value> v) {
        return column ? softmax(reshape(v[0], {kClasses, 1}), 0) : softmax(v[0]);
      };
      const Builder logarithm = [&](std::span<const Value> v) {
        return column ? log_softmax(reshape(v[0], {kClasses, 1}), 0) : log_softmax(v[0]);
      };
      const Array y = evaluate(build, {x}, dtype_of<TypeParam>());
      const Array logs = evaluate(logarithm, {x}, dtype_of<TypeParam>());
      for (std::int64_t i = 0; i < kClasses; ++i) {
        const auto at = static_cast<std::size_t>(i);
        ASSERT_TRUE(agrees<TypeParam>(y[i], exact.probability(at), {kTolerance, 0}))
            << y[i] << " at " << i << " rather than " << exact.probability(at);
        ASSERT_TRUE(agrees<TypeParam>(logs[i], exact.logarithm(at), {kTolerance, kTolerance}))
            << logs[i] << " at " << i << " rather than " << exact.logarithm(at);
      }
    }
  }
}

TYPED_TEST(Extremes, ASingleClassIsCertain) {
  const Array x({100'000, 1}, 1e30);
  for (const bool logarithm : {false, true}) {
    const Builder build = [=](std::span<const Value> v) {
      return logarithm ? log_softmax(v[0]) : softmax(v[0]);
    };
    for (const double value : evaluate(build, {x}, dtype_of<TypeParam>()).data) {
      ASSERT_EQ(value, logarithm ? 0 : 1);
    }
    const Builder gradient = [&](std::span<const Value> v) {
      return gradients(build(v), {v[0]})[0];
    };
    for (const double value : evaluate(gradient, {x}, dtype_of<TypeParam>()).data) {
      ASSERT_EQ(value, 0);
    }
  }
}

TEST(ExtremeShapes, ThereAreNoneWithoutRowsOrClasses) {
  Graph graph;
  EXPECT_EQ(error_of([&] {
              graph.input("x", {0, 3});
            }),
            "shape [0, 3]: every size must be at least 1, got 0");
  EXPECT_EQ(error_of([&] {
              graph.input("x", {3, 0});
            }),
            "shape [3, 0]: every size must be at least 1, got 0");
}

}  // namespace
}  // namespace gradmill
