#include <gradmill/ops/math.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "support/op_check.h"

namespace gradmill {
namespace {

struct Case {
  const char* name;
  Value (*build)(Value, std::string);
  long double (*reference)(long double);
  double low, high;  ///< for gradients
};

class Math : public testing::TestWithParam<Case> {
 protected:
  Builder builder() const {
    return [this](std::span<const Value> x) { return GetParam().build(x[0], "y"); };
  }
  double reference(double x) const { return static_cast<double>(GetParam().reference(x)); }
};

INSTANTIATE_TEST_SUITE_P(
    Ops, Math,
    testing::Values(Case{"exp", exp, [](long double x) { return std::exp(x); }, -3, 3},
                    Case{"log", log, [](long double x) { return std::log(x); }, 0.2, 3},
                    Case{"sqrt", sqrt, [](long double x) { return std::sqrt(x); }, 0.2, 3},
                    Case{"tanh", tanh, [](long double x) { return std::tanh(x); }, -3, 3},
                    Case{"sigmoid", sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); },
                         -3, 3}),
    [](const auto& tested) { return tested.param.name; });

TEST_P(Math, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 5));
    SCOPED_TRACE(cat("seed ", seed, ": ", shape));
    expect_values(builder(),
                  [&](const std::vector<Array>& x) {
                    return map(x[0], [&](double value) { return reference(value); });
                  },
                  {random.array(shape, GetParam().low, GetParam().high)},
                  {.f32 = 1e-6, .f64 = 2e-15});
  }
}

// The distance of `value` from the exact result, in units in the last place of T.
template <class T>
long double ulps(T value, long double exact) {
  const auto nearest = static_cast<T>(exact);
  if (value == nearest || (std::isnan(value) && std::isnan(nearest))) return 0;
  if (!std::isfinite(value) || !std::isfinite(nearest)) {
    // Where one of them overflows, the other may be the largest number.
    const long double most = std::numeric_limits<T>::max();
    return std::abs(exact) > most * 0.999999L &&
                   std::abs(static_cast<long double>(value)) > most * 0.999999L
               ? 1
               : 1e9L;
  }
  const T size = std::max(std::abs(nearest), std::numeric_limits<T>::min());
  const T ulp = std::nextafter(size, std::numeric_limits<T>::infinity()) - size;
  return std::abs(static_cast<long double>(value) - exact) / ulp;
}

// Numbers of every size and sign, and every edge.
template <class T>
std::vector<double> all_over() {
  using Limits = std::numeric_limits<T>;
  std::vector<double> values = {0.0,
                                -0.0,
                                1.0,
                                -1.0,
                                Limits::infinity(),
                                -Limits::infinity(),
                                Limits::quiet_NaN(),
                                Limits::max(),
                                Limits::lowest(),
                                Limits::min(),
                                -Limits::min(),
                                Limits::denorm_min(),
                                -Limits::denorm_min(),
                                1e30,
                                -1e30,
                                88.7,
                                88.8,
                                -87.4,
                                -103.9,
                                -104.1,
                                709.7,
                                709.8,
                                -745.1,
                                -746,
                                -1001,
                                9.02,
                                18.7,
                                18.8,
                                44.5};
  for (int exponent = Limits::min_exponent - Limits::digits; exponent < Limits::max_exponent;
       ++exponent) {
    for (const double mantissa : {1.0, 1.0 + 1.0 / 3, 1.41421, 1.99}) {
      values.push_back(static_cast<T>(std::ldexp(mantissa, exponent)));
      values.push_back(-values.back());
    }
  }
  for (double x = -110; x < 110; x += 0.0371) values.push_back(static_cast<T>(x));
  for (double& value : values) value = static_cast<T>(value);
  return values;
}

TEST_P(Math, IsAccurateOverTheWholeRangeAndAtTheEdges) {
  const auto check_dtype = [&]<class T>(T) {
    const std::vector<double> x = all_over<T>();
    const Array y =
        evaluate(builder(), {Array({static_cast<std::int64_t>(x.size())}, x)}, dtype_of<T>());
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const long double exact = GetParam().reference(x[static_cast<std::size_t>(i)]);
      EXPECT_LE(ulps(static_cast<T>(y[i]), exact), 4)
          << to_string(dtype_of<T>()) << ": " << GetParam().name << "("
          << x[static_cast<std::size_t>(i)] << ") = " << y[i] << ", exactly " << exact;
    }
  };
  check_dtype(float());
  check_dtype(double());
}

TEST_P(Math, AnElementsBitsDoNotDependOnWhereItStands) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (std::int64_t n = 1; n <= 40; ++n) {
      const Array y = evaluate(builder(), {Array({n}, 0.7)}, dtype);
      for (std::int64_t i = 0; i < n; ++i) {
        ASSERT_EQ(std::bit_cast<std::uint64_t>(y[i]), std::bit_cast<std::uint64_t>(y[0]));
      }
    }
  }
}

TEST_P(Math, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 50; seed < 54; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 4), 5);
    SCOPED_TRACE(cat("seed ", seed, ": ", shape));
    expect_gradients(builder(), {random.array(shape, GetParam().low, GetParam().high)});
  }
}

TEST_P(Math, SecondAndThirdGradientsMatchCentralDifferences) {
  Random random(3);
  const Array x = random.array({2, 3}, std::max(GetParam().low, -1.5), 1.5);
  expect_second_gradients(builder(), {x});
  const Builder first = [&](std::span<const Value> v) {
    return gradients(builder()(v) * builder()(v), v)[0];
  };
  expect_second_gradients(first, {x}, 1e-5);
}

TEST_P(Math, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(4);
  const std::vector<Array> inputs = {random.array({277, 311}, GetParam().low, GetParam().high)};
  EXPECT_GT(most_tiles(builder(), inputs), 2);
  expect_same_bits(builder(), inputs);
}

TEST_P(Math, RefusesIntegers) {
  EXPECT_EQ(refusal(builder(), {{DType::i64, {3}}}),
            std::string(GetParam().name) + " 'y': needs f32 or f64, got i64 [3]");
}

}  // namespace
}  // namespace gradmill
