#include <gmock/gmock.h>
#include <gradmill/runtime/shape.h>
#include <gtest/gtest.h>
#include "support/error_of.h"

#include <cstdint>
#include <limits>
#include <vector>

namespace gradmill {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(Shape, KnowsItsSizes) {
  const Shape shape{2, 3, 5};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape[2], 5);
  EXPECT_EQ(shape.elements(), 30);
  EXPECT_EQ(std::vector<std::int64_t>(shape.begin(), shape.end()), shape.sizes());
  EXPECT_EQ(to_string(shape), "[2, 3, 5]");
  EXPECT_EQ(cat(shape), "[2, 3, 5]");
}

TEST(Shape, ScalarHasRankZeroAndOneElement) {
  EXPECT_EQ(Shape().rank(), 0);
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(to_string(Shape()), "[]");
  EXPECT_EQ(Shape{}, Shape(std::vector<std::int64_t>{}));
}

TEST(Shape, EqualOnlyWhenAllSizesAre) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{1}), Shape{});
}

TEST(Shape, RefusesZeroSize) {
  EXPECT_THAT(error_of([] { Shape({4, 0}); }), HasSubstr("[4, 0]: every size must be at least 1"));
}

TEST(Shape, RefusesNegativeSize) {
  EXPECT_THAT(error_of([] {
                Shape({-2, 3});
              }),
              HasSubstr("[-2, 3]: every size must be at least 1"));
}

TEST(Shape, RefusesProductThatOverflows) {
  EXPECT_THAT(error_of([] {
                Shape({std::int64_t{1} << 32, std::int64_t{1} << 32});
              }),
              HasSubstr("[4294967296, 4294967296]: the product of the sizes overflows"));
  EXPECT_THAT(error_of([] { Shape({kMax}); }), HasSubstr("overflows"));
  EXPECT_THAT(error_of([] { Shape({kMax / 8 + 1}); }), HasSubstr("overflows"));
  EXPECT_EQ(Shape({kMax / 8}).elements(), kMax / 8);
}

TEST(NormalizeAxis, CountsFromBothEnds) {
  const Shape shape{2, 3, 5};
  EXPECT_EQ(normalize_axis(0, shape), 0);
  EXPECT_EQ(normalize_axis(2, shape), 2);
  EXPECT_EQ(normalize_axis(-1, shape), 2);
  EXPECT_EQ(normalize_axis(-3, shape), 0);
}

TEST(NormalizeAxis, RefusesUnknownAxis) {
  const Shape shape{2, 3};
  EXPECT_THAT(error_of([&] { normalize_axis(2, shape); }),
              HasSubstr("axis 2 is out of range for shape [2, 3]: it must be in [-2, 2)"));
  EXPECT_THAT(error_of([&] { normalize_axis(-3, shape); }), HasSubstr("axis -3 is out of range"));
  EXPECT_THAT(error_of([] { normalize_axis(0, Shape{}); }), HasSubstr("axis 0 is out of range"));
}

}  // namespace
}  // namespace gradmill
