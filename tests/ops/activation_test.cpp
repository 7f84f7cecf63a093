#include <gradmill/ops/activation.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/op_check.h"

namespace gradmill {
namespace {

Value build(std::span<const Value> x) { return relu(x[0], "y"); }

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

TEST(Relu, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 5), 12);
    SCOPED_TRACE(cat("seed ", seed, ": ", shape));
    expect_values(build,
                  [](const std::vector<Array>& x) {
                    return map(x[0], [](double value) { return std::max(value, 0.0); });
                  },
                  {random.array(shape)}, {0, 0});
  }
}

TEST(Relu, PropagatesNanAndInfinity) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Array y = evaluate(build, {Array({4}, {kNan, kInf, -kInf, -1e30})}, dtype);
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_EQ(y[1], kInf);
    EXPECT_EQ(y[2], 0);
    EXPECT_EQ(y[3], 0);
  }
}

TEST(Relu, GradientsMatchCentralDifferences) {
  Random random(1);
  expect_gradients(build, {random.array({3, 1, 7}, -2, 2, 0.01)});
  expect_second_gradients([](auto x) { return relu(x[0]) * x[0] * x[0]; },
                          {random.array({7}, -2, 2, 0.01)});
}

TEST(Relu, TheGradientIsZeroAtZero) {
  const Builder gradient = [](auto x) { return gradients(relu(x[0]), {x[0]})[0]; };
  const Array dx = evaluate(gradient, {Array({4}, {0.0, -0.0, 1e-30, -1e-30})}, DType::f32);
  EXPECT_EQ(dx.data, (std::vector<double>{0, 0, 1, 0}));
}

TEST(Relu, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(2);
  const std::vector<Array> inputs = {random.array({333, 301})};
  EXPECT_GT(most_tiles(build, inputs), 2);
  expect_same_bits(build, inputs);
}

TEST(Relu, RefusesWhatDoesNotFit) {
  EXPECT_EQ(refusal(build, {{DType::i64, {3}}}), "relu 'y': needs f32 or f64, got i64 [3]");
}

}  // namespace
}  // namespace gradmill
