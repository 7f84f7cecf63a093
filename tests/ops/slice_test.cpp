#include <gradmill/ops/slice.h>
#include <gtest/gtest.h>

#include <limits>

#include "support/op_check.h"

namespace gradmill {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

Builder picking(int axis, std::int64_t start, std::int64_t end, std::int64_t step = 1) {
  return [=](std::span<const Value> x) { return slice(x[0], axis, start, end, step, "y"); };
}

// Of what is in range already.
Array reference(const Array& x, int axis, std::int64_t start, std::int64_t count,
                std::int64_t step) {
  axis = normalize_axis(axis, x.shape);
  std::vector<std::int64_t> sizes = x.shape.sizes();
  sizes[static_cast<std::size_t>(axis)] = count;
  Array y{Shape(sizes)};
  for (std::int64_t i = 0; i < y.size(); ++i) {
    Index index = index_of(i, y.shape);
    index[static_cast<std::size_t>(axis)] = start + step * index[static_cast<std::size_t>(axis)];
    y[i] = x[flat_of(index, x.shape)];
  }
  return y;
}

TEST(Slice, MatchesTheReferenceOverRandomShapesAndRanges) {
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    Random random(seed);
    const int rank = 1 + static_cast<int>(seed % 4);
    const Shape shape = random.shape(rank, 11);
    const int axis = static_cast<int>(random.integer(-rank, rank - 1));
    const std::int64_t n = shape[normalize_axis(axis, shape)];
    const std::int64_t start = random.integer(0, n - 1);
    const std::int64_t end = random.integer(start + 1, n);
    const std::int64_t step = random.integer(1, 4);
    SCOPED_TRACE(
        cat("seed ", seed, ": ", shape, " along ", axis, ", ", start, ':', end, ':', step));
    const auto expected = [&](const std::vector<Array>& x) {
      return reference(x[0], axis, start, (end - start + step - 1) / step, step);
    };
    const Array x = random.array(shape);
    expect_values(picking(axis, start, end, step), expected, {x}, {0, 0});
    expect_values(picking(axis, start - n, end, step), expected, {x}, {0, 0});
  }
}

TEST(Slice, ManyTilesMatchTheReference) {
  struct Case {
    Shape shape;
    int axis;
    std::int64_t start, count, step;
  };
  Random random(90);
  for (const auto& [shape, axis, start, count, step] :
       {Case{{200003}, 0, 1, 66667, 3}, Case{{301, 701}, 0, 2, 150, 2},
        Case{{301, 701}, 1, 3, 690, 1}, Case{{7, 5, 9001}, 1, 1, 3, 1},
        Case{{7, 9001, 5}, 1, 100, 4000, 2}}) {
    SCOPED_TRACE(cat(shape, " along ", axis));
    const Array x = random.array(shape);
    const std::int64_t end = start + (count - 1) * step + 1;
    EXPECT_GT(most_tiles(picking(axis, start, end, step), {x}), 1);
    expect_values(
        picking(axis, start, end, step),
        [&](const std::vector<Array>& v) { return reference(v[0], axis, start, count, step); }, {x},
        {0, 0});
  }
}

TEST(Slice, BoundsAreClampedAndCountFromTheEnd) {
  const Array x({5}, {0, 1, 2, 3, 4});
  const auto of = [&](std::int64_t start, std::int64_t end, std::int64_t step = 1) {
    return evaluate(picking(0, start, end, step), {x}, DType::f32).data;
  };
  using Numbers = std::vector<double>;
  EXPECT_EQ(of(-2, kMost), (Numbers{3, 4}));
  EXPECT_EQ(of(-kMost - 1, 2), (Numbers{0, 1}));
  EXPECT_EQ(of(1, -1), (Numbers{1, 2, 3}));
  EXPECT_EQ(of(0, 99, 2), (Numbers{0, 2, 4}));
  EXPECT_EQ(of(1, 5, kMost), (Numbers{1}));
  EXPECT_EQ(of(0, 5), x.data);
}

TEST(Slice, MovesIntegersAsWell) {
  Graph graph;
  const Value x = graph.input("x", {2, 3}, DType::i64);
  const Value y = slice(x, 1, 1, 3);
  Session session(graph, {.fetches = {y}});
  const std::vector<std::int64_t> fed = {0, -1, 2, 3, std::int64_t{1} << 60, 5};
  session.run({{x, fed}});
  std::vector<std::int64_t> result(4);
  session.fetch<std::int64_t>(y, result);
  EXPECT_EQ(result, (std::vector<std::int64_t>{-1, 2, std::int64_t{1} << 60, 5}));
}

TEST(Slice, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 100; seed < 130; ++seed) {
    Random random(seed);
    const int rank = 1 + static_cast<int>(seed % 3);
    const Shape shape = random.shape(rank, 7);
    const int axis = static_cast<int>(random.integer(-rank, rank - 1));
    const std::int64_t n = shape[normalize_axis(axis, shape)];
    const std::int64_t start = random.integer(0, n - 1);
    const std::int64_t end = random.integer(start + 1, n);
    const std::int64_t step = random.integer(1, 3);
    SCOPED_TRACE(
        cat("seed ", seed, ": ", shape, " along ", axis, ", ", start, ':', end, ':', step));
    const Builder build = [&](std::span<const Value> x) {
      const Value y = slice(x[0], axis, start, end, step);
      return y * y;
    };
    expect_gradients(build, {random.array(shape)});
    if (seed % 5 == 0) expect_second_gradients(build, {random.array(shape)});
  }
}

// Every element of a large gradient is either the upstream's or zero, whatever the tiles.
TEST(Slice, GradientsOfManyTilesArePlacedWhereTheyCameFrom) {
  Random random(91);
  for (const auto& [shape, axis, step] :
       {std::tuple(Shape{200003}, 0, 3), std::tuple(Shape{301, 701}, 0, 2),
        std::tuple(Shape{301, 701}, 1, 1), std::tuple(Shape{7, 9001, 5}, 1, 2)}) {
    SCOPED_TRACE(cat(shape, " along ", axis, " by ", step));
    const Builder build = [=, shape = shape, axis = axis, step = step](std::span<const Value> x) {
      const Value y = slice(x[0], axis, 3, -2, step);
      return gradients(std::span(&y, 1), x, {})[0] * x[0];
    };
    expect_values(build,
                  [&, axis = axis, step = step](const std::vector<Array>& x) {
                    Array y = x[0];
                    const auto at = static_cast<std::size_t>(axis);
                    for (std::int64_t i = 0; i < y.size(); ++i) {
                      const std::int64_t j = index_of(i, y.shape)[at];
                      if (j < 3 || j >= y.shape[axis] - 2 || (j - 3) % step != 0) y[i] = 0;
                    }
                    return y;
                  },
                  {random.array(shape)}, {0, 0});
  }
}

TEST(Slice, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(92);
  for (const int axis : {0, 1, 2}) {
    expect_same_bits(picking(axis, 1, -1, 2), {random.array({29, 31, 97})});
  }
}

TEST(Slice, RefusesWhatDoesNotFit) {
  EXPECT_EQ(refusal(picking(2, 0, 1), {{DType::f32, {2, 3}}}),
            "slice 'y': axis 2 is out of range for shape [2, 3]: it must be in [-2, 2)");
  EXPECT_EQ(refusal(picking(0, 0, 1), {{DType::f32, {}}}),
            "slice 'y': axis 0 is out of range for shape []: it must be in [0, 0)");
  EXPECT_EQ(refusal(picking(1, 2, -1), {{DType::i64, {2, 3}}}),
            "slice 'y': [2, -1) is empty on axis 1 of [2, 3], and no shape has a size of 0");
  for (const std::int64_t step : {0, -1}) {
    EXPECT_EQ(refusal(picking(0, 0, 1, step), {{DType::f32, {2}}}),
              cat("slice 'y': step must be at least 1, got ", step));
  }
}

}  // namespace
}  // namespace gradmill
