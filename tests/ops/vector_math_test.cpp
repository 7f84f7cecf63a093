// The vector functions on their own, at the instruction set that the tests run with.

#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/vector_math_test.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

template <class T>
void exp_of(const T* x, T* y, std::int64_t n) {
  const hn::ScalableTag<T> d;
  for_vectors(d, n, T(0),
              [&](auto load, auto store) HWY_ATTR { store(exp_of_nonpositive(d, load(x)), y); });
}

void exp_f32(const float* x, float* y, std::int64_t n) { exp_of(x, y, n); }
void exp_f64(const double* x, double* y, std::int64_t n) { exp_of(x, y, n); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

namespace gradmill {
namespace {

HWY_EXPORT(exp_f32);
HWY_EXPORT(exp_f64);

void exp_of(const std::vector<float>& x, std::vector<float>& y) {
  HWY_DYNAMIC_DISPATCH(exp_f32)(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
}
void exp_of(const std::vector<double>& x, std::vector<double>& y) {
  HWY_DYNAMIC_DISPATCH(exp_f64)(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
}

// Products and sums that are not fused round once more.
double ulps_f32() {
  static const bool fused = (hwy::SupportedTargets() & HWY_AVX2) != 0;
  return fused ? 1 : 1.25;
}

// The distance between T and the next, where e^x is.
template <class T>
long double ulp_at(long double value) {
  const int exponent = std::max(std::ilogb(value), std::numeric_limits<T>::min_exponent - 1);
  return std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1);
}

template <class T>
class ExpOfNonpositive : public testing::Test {
 protected:
  // Expects every result to be that close to the function in long double.
  static void expect_close(const std::vector<T>& x, long double ulps) {
    std::vector<T> y(x.size());
    exp_of(x, y);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double exact = std::exp(static_cast<long double>(x[i]));
      const long double error = std::abs(static_cast<long double>(y[i]) - exact);
      ASSERT_LE(error, ulps * ulp_at<T>(exact)) << "e^" << x[i] << " is " << y[i];
    }
  }
};

using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(ExpOfNonpositive, Floating);

// From where e^x leaves 1 to where it is less than half the smallest number, by steps that hit
// every kind of remainder.
TYPED_TEST(ExpOfNonpositive, IsCloseFromTheFirstNumberBelowOneToZero) {
  using T = TypeParam;
  const double last = sizeof(T) == 4 ? 120 : 800;
  std::vector<T> x;
  for (double value = 0; value < last; value += last / 1.1e6) x.push_back(static_cast<T>(-value));
  for (double value = 1; value > 1e-40; value *= 0.9997) x.push_back(static_cast<T>(-value));
  this->expect_close(x, sizeof(T) == 4 ? ulps_f32() : 2);
}

TEST(ExpOfNonpositive32, IsCloseForAllNumbersOfABinade) {
  constexpr std::size_t kBlock = std::size_t{1} << 16;
  std::vector<float> x(kBlock);
  std::vector<float> y(kBlock);
  const auto one = std::bit_cast<std::uint32_t>(-1.0F);
  for (std::uint32_t bits = 0; bits < std::uint32_t{1} << 23; bits += kBlock) {
    for (std::uint32_t i = 0; i < kBlock; ++i) x[i] = std::bit_cast<float>(one + bits + i);
    exp_of(x, y);
    for (std::size_t i = 0; i < kBlock; ++i) {
      const double exact = std::exp(static_cast<double>(x[i]));
      const double ulp = std::ldexp(1.0, std::ilogb(exact) - 23);
      ASSERT_LE(std::abs(y[i] - exact), ulps_f32() * ulp) << x[i];
    }
  }
}

TYPED_TEST(ExpOfNonpositive, IsExactAtTheEnds) {
  using Limits = std::numeric_limits<TypeParam>;
  const std::vector<TypeParam> x = {0,
                                    -TypeParam(0),
                                    -Limits::denorm_min(),
                                    -Limits::min(),
                                    -Limits::infinity(),
                                    Limits::lowest(),
                                    Limits::quiet_NaN(),
                                    -Limits::quiet_NaN()};
  std::vector<TypeParam> y(x.size(), TypeParam(5));
  exp_of(x, y);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(y[static_cast<std::size_t>(i)], 1) << i;
  EXPECT_EQ(y[4], 0);
  EXPECT_EQ(y[5], 0);
  EXPECT_TRUE(std::isnan(y[6]));
  EXPECT_TRUE(std::isnan(y[7]));
}

}  // namespace
}  // namespace gradmill
#endif
