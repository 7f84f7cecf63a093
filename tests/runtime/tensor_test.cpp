#include <gmock/gmock.h>
#include <gradmill/runtime/tensor.h>
#include <gtest/gtest.h>
#include "support/error_of.h"

#include <array>
#include <cstdint>

namespace gradmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DType, HasSizeNameAndKind) {
  EXPECT_EQ(size_of(DType::f32), 4U);
  EXPECT_EQ(size_of(DType::f64), 8U);
  EXPECT_EQ(size_of(DType::i64), 8U);
  EXPECT_EQ(to_string(DType::f32), "f32");
  EXPECT_EQ(to_string(DType::f64), "f64");
  EXPECT_EQ(to_string(DType::i64), "i64");
  EXPECT_TRUE(is_floating(DType::f32));
  EXPECT_TRUE(is_floating(DType::f64));
  EXPECT_FALSE(is_floating(DType::i64));
}

TEST(DType, FollowsFromTheElementType) {
  static_assert(dtype_of<float>() == DType::f32);
  static_assert(dtype_of<const double>() == DType::f64);
  static_assert(dtype_of<std::int64_t>() == DType::i64);
  static_assert(!Element<int>);
}

TEST(Type, KnowsItsBytes) {
  const Type type{DType::f64, {3, 4}};
  EXPECT_EQ(type.bytes(), 96U);
  EXPECT_EQ(to_string(type), "f64 [3, 4]");
  EXPECT_EQ(cat(type), "f64 [3, 4]");
  EXPECT_NE(type, (Type{DType::f32, {3, 4}}));
  EXPECT_NE(type, (Type{DType::f64, {4, 3}}));
}

TEST(TensorView, GivesItsElements) {
  const std::array<float, 4> values = {1, 2, 3, 4};
  const TensorView view{{DType::f32, {2, 2}}, values.data()};
  EXPECT_THAT(view.as<float>(), ElementsAre(1, 2, 3, 4));
}

TEST(TensorView, RefusesAnotherElementType) {
  const std::array<float, 1> values = {1};
  const TensorView view{{DType::f32, {}}, values.data()};
  EXPECT_THAT(error_of([&] { view.as<double>(); }), HasSubstr("a tensor of f32 read as f64"));
}

TEST(Check, ThrowsOnlyWhenTheConditionFails) {
  EXPECT_NO_THROW(check(true, "never"));
  EXPECT_EQ(error_of([] { check(false, "matmul '", "fc1", "': ", 3); }), "matmul 'fc1': 3");
  EXPECT_EQ(error_of([] { fail("a", 1, 'b'); }), "a1b");
}

TEST(Check, FailureIsAnError) {
  EXPECT_EQ(error_of<Error>([] { throw Failure("disk"); }), "disk");
}

}  // namespace
}  // namespace gradmill
