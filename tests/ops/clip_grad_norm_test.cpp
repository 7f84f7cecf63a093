#include <gmock/gmock.h>
#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "support/error_of.h"

namespace gradmill {
namespace {

using testing::HasSubstr;

template <class T>
void expect_clipped(std::int64_t n, double max_norm) {
  SCOPED_TRACE(cat(to_string(dtype_of<T>()), ", ", n, " elements, max_norm ", max_norm));
  std::vector<T> a(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(std::sin(0.7 * i));
  const std::vector<T> b = {T(0.5), T(-2)};
  double sum = 0;
  for (const auto& values : {a, b}) {
    for (const T v : values) sum += static_cast<double>(v) * static_cast<double>(v);
  }
  const double factor = std::min(1.0, max_norm / (std::sqrt(sum) + 1e-6));

  Graph graph;
  const Value x = graph.input("a", {n}, dtype_of<T>());
  const Value y = graph.input("b", {2, 1}, dtype_of<T>());
  const ClippedGradients clipped = clip_grad_norm(std::vector{x, y}, max_norm);
  Session session(graph, {.fetches = {clipped.gradients[0], clipped.gradients[1], clipped.norm}});
  session.run({{x, a}, {y, b}});
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
  EXPECT_NEAR(session.fetch<T>(clipped.norm), std::sqrt(sum), tolerance * std::sqrt(sum));
  std::vector<T> found(a.size());
  session.fetch<T>(clipped.gradients[0], found);
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(found[i], static_cast<double>(a[i]) * factor, tolerance) << i;
  }
}

TEST(ClipGradNorm, ScalesAllTogether) {
  for (const std::int64_t n : {1, 7, 1025, 70001}) {
    for (const double max_norm : {0.1, 1.0, 1e6}) {
      expect_clipped<float>(n, max_norm);
      expect_clipped<double>(n, max_norm);
    }
  }
}

// PyTorch's torch.nn.utils.clip_grad_norm_ on [3, 4] and [12], max_norm 6.5: norm 13.
TEST(ClipGradNorm, IsWhatItSays) {
  Graph graph;
  const Value a = graph.constant(std::span<const double>(std::vector<double>{3, 4}), {2});
  const Value b = graph.constant(12.0, {1}, DType::f64);
  const ClippedGradients clipped = clip_grad_norm(std::vector{a, b}, 6.5);
  Session session(graph, {.fetches = {clipped.gradients[1], clipped.norm}});
  session.run();
  EXPECT_EQ(session.fetch<double>(clipped.norm), 13);
  EXPECT_DOUBLE_EQ(session.fetch<double>(clipped.gradients[1]), 12 * 6.5 / (13 + 1e-6));
}

// One parameter: p -= lr * clipped gradient.
TEST(ClipGradNorm, IsDoneToTheWholeStep) {
  for (const int micro_batches : {1, 3}) {
    Graph graph;
    const Value x = graph.input("x", {4}, DType::f64);
    const Value p = graph.parameter("p", {4}, Initializer::constant(0), DType::f64);
    Session session(graph, {.loss = sum(p * x),
                            .optimizer = SGD{.lr = 1},
                            .gradient_scaling = ClipGradNorm{.max_norm = 2},
                            .micro_batches = micro_batches});
    std::vector<double> mean(4, 0);
    for (int k = 0; k < micro_batches; ++k) {
      std::vector<double> fed = {3.0 + k, -1.0, 2.0 * k, 5};
      for (std::size_t i = 0; i < 4; ++i) mean[i] += fed[i] / micro_batches;
      session.run({{x, fed}});
    }
    double norm = 0;
    for (const double v : mean) norm += v * v;
    norm = std::sqrt(norm);
    EXPECT_NEAR(session.gradient_norm(), norm, 1e-14 * norm);
    const auto values = session.view(p).as<double>();
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(values[i], -mean[i] * 2 / (norm + 1e-6), 1e-14) << i;
    }
  }
}

TEST(ClipGradNorm, PassesOnWhatIsNotFinite) {
  Graph graph;
  const Value x = graph.input("x", {2}, DType::f32);
  const ClippedGradients clipped = clip_grad_norm(std::vector{x}, 1);
  Session session(graph, {.fetches = {clipped.gradients[0], clipped.norm}});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  session.run({{x, std::vector<float>{1, nan}}});
  EXPECT_TRUE(std::isnan(session.fetch<float>(clipped.norm)));
  EXPECT_TRUE(std::isnan(session.view(clipped.gradients[0]).as<float>()[0]));
}

TEST(ClipGradNorm, RefusesWhatMakesNoSense) {
  Graph graph;
  const Value x = graph.input("x", {2}, DType::f32);
  const Value y = graph.input("y", {2}, DType::f64);
  EXPECT_THAT(error_of([&] { clip_grad_norm({}, 1); }), HasSubstr("there are no gradients"));
  EXPECT_THAT(error_of([&] {
                clip_grad_norm(std::vector{x, y}, 1);
              }),
              HasSubstr("gradients must have one dtype, got f32 [2] and f64 [2]"));
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(error_of([&] { clip_grad_norm(std::vector{x}, bad); }),
                HasSubstr("max_norm must be finite and above 0"));
    EXPECT_THAT(error_of([&] { std::shared_ptr<const GradientScaling>(ClipGradNorm{bad}); }),
                HasSubstr("max_norm must be finite and above 0"));
  }
}

}  // namespace
}  // namespace gradmill
