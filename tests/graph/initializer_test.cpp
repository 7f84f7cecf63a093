#include <gradmill/graph/initializer.h>
#include <gtest/gtest.h>
#include "support/error_of.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace gradmill {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
std::vector<T> draw(const Initializer& initializer, std::int64_t count, std::uint64_t seed = 1,
                    std::string_view name = "w") {
  std::vector<T> values(static_cast<std::size_t>(count));
  initializer.fill({dtype_of<T>(), {count}}, values.data(), seed, name);
  return values;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  const double center = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - center) * (value - center);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

TEST(Initializer, LinearIsUniformWithPyTorchsBound) {
  const auto values = draw<double>(Initializer::linear(784), 100'000);
  const double bound = 1 / 28.0;
  const auto [low, high] = std::ranges::minmax(values);
  EXPECT_GE(low, -bound);
  EXPECT_LT(low, -0.999 * bound);
  EXPECT_LE(high, bound);
  EXPECT_GT(high, 0.999 * bound);
  EXPECT_NEAR(mean(values), 0, bound / 100);
  EXPECT_NEAR(deviation(values), bound / std::sqrt(3.0), bound / 100);
}

TEST(Initializer, UniformStaysInItsBounds) {
  const auto values = draw<double>(Initializer::uniform(2, 3), 10'000);
  const auto [low, high] = std::ranges::minmax(values);
  EXPECT_GE(low, 2);
  EXPECT_LE(high, 3);
  EXPECT_NEAR(mean(values), 2.5, 0.02);
  const double huge = std::numeric_limits<double>::max();
  for (const double value : draw<double>(Initializer::uniform(-huge, huge), 100)) {
    EXPECT_TRUE(std::isfinite(value));
  }
  EXPECT_EQ(draw<double>(Initializer::uniform(0.1, 0.1), 3), std::vector<double>(3, 0.1));
}

TEST(Initializer, NormalHasMeanAndDeviation) {
  const auto values = draw<double>(Initializer::normal(5, 0.25), 100'000);
  EXPECT_NEAR(mean(values), 5, 0.005);
  EXPECT_NEAR(deviation(values), 0.25, 0.005);
}

TEST(Initializer, ConstantAndZerosFillEveryElement) {
  EXPECT_EQ(draw<float>(Initializer::constant(1.5), 5), std::vector<float>(5, 1.5F));
  EXPECT_EQ(draw<double>(Initializer::zeros(), 5), std::vector<double>(5, 0.0));
}

TEST(Initializer, SingleIsTheRoundedDouble) {
  const auto wide = draw<double>(Initializer::normal(), 1000);
  const auto narrow = draw<float>(Initializer::normal(), 1000);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    EXPECT_EQ(narrow[i], static_cast<float>(wide[i]));
  }
}

TEST(Initializer, DependsOnSeedNameAndIndexOnly) {
  const Initializer normal = Initializer::normal();
  const auto values = draw<double>(normal, 100);
  EXPECT_EQ(draw<double>(normal, 100), values);
  const auto longer = draw<double>(normal, 200);
  EXPECT_TRUE(std::equal(values.begin(), values.end(), longer.begin()));
  EXPECT_NE(draw<double>(normal, 100, 2), values);
  EXPECT_NE(draw<double>(normal, 100, 1, "v"), values);
}

TEST(Initializer, RefusesBadArguments) {
  EXPECT_EQ(error_of([] { Initializer::linear(0); }),
            "initializer 'linear': fan_in must be positive, got 0");
  EXPECT_EQ(error_of([] { Initializer::uniform(1, 0); }),
            "initializer 'uniform': low <= high must hold and both be finite, got low 1, high 0");
  EXPECT_EQ(error_of([] { Initializer::normal(0, -1); }),
            "initializer 'normal': std >= 0 must hold and both be finite, got mean 0, std -1");
  for (const double bad : {kInfinity, -kInfinity, kNan}) {
    EXPECT_THROW(Initializer::uniform(bad, 1), Error);
    EXPECT_THROW(Initializer::uniform(0, bad), Error);
    EXPECT_THROW(Initializer::normal(bad, 1), Error);
    EXPECT_THROW(Initializer::normal(0, bad), Error);
  }
  EXPECT_EQ(error_of([] { draw<std::int64_t>(Initializer::zeros(), 3); }),
            "initializer of 'w': the dtype must be f32 or f64, got i64 [3]");
}

}  // namespace
}  // namespace gradmill
