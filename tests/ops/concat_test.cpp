#include <gradmill/ops/concat.h>
#include <gradmill/runtime/support/index.h>
#include <gtest/gtest.h>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using Sizes = std::vector<std::int64_t>;

Shape with_size(const Shape& shape, int axis, std::int64_t size) {
  Sizes sizes = shape.sizes();
  sizes[static_cast<std::size_t>(normalize_axis(axis, shape))] = size;
  return Shape(sizes);
}

Builder joining(int axis) {
  return [=](std::span<const Value> x) { return concat({x.begin(), x.end()}, axis, "y"); };
}

Builder cutting(const Sizes& sizes, int axis, std::size_t part) {
  return [=](std::span<const Value> x) { return split(x[0], sizes, axis, "y")[part]; };
}

Array joined(const std::vector<Array>& parts, int axis) {
  axis = normalize_axis(axis, parts[0].shape);
  const auto at = static_cast<std::size_t>(axis);
  std::int64_t size = 0;
  for (const Array& part : parts) size += part.shape[axis];
  Array y(with_size(parts[0].shape, axis, size));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    Index index = index_of(i, y.shape);
    std::size_t part = 0;
    while (index[at] >= parts[part].shape[axis]) index[at] -= parts[part++].shape[axis];
    y[i] = parts[part][flat_of(index, parts[part].shape)];
  }
  return y;
}

Array cut(const Array& x, int axis, std::int64_t begin, std::int64_t size) {
  Array y(with_size(x.shape, axis, size));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    Index index = index_of(i, y.shape);
    index[static_cast<std::size_t>(normalize_axis(axis, x.shape))] += begin;
    y[i] = x[flat_of(index, x.shape)];
  }
  return y;
}

struct Case {
  Shape shape;
  int axis;
  Sizes sizes;
};

// Along `axis`, the shape has the sum of the sizes.
Case draw(Random& random, int rank, std::int64_t most) {
  Case drawn{random.shape(rank, most), static_cast<int>(random.integer(-rank, rank - 1)), {}};
  std::int64_t sum = 0;
  for (std::int64_t parts = random.integer(1, 5); parts > 0; --parts) {
    drawn.sizes.push_back(random.integer(1, most));
    sum += drawn.sizes.back();
  }
  drawn.shape = with_size(drawn.shape, drawn.axis, sum);
  return drawn;
}

std::vector<Array> parts_of(Random& random, const Case& drawn) {
  std::vector<Array> parts;
  for (const std::int64_t size : drawn.sizes) {
    parts.push_back(random.array(with_size(drawn.shape, drawn.axis, size)));
  }
  return parts;
}

void expect_both(Random& random, const Case& drawn) {
  const std::vector<Array> parts = parts_of(random, drawn);
  expect_values(joining(drawn.axis),
                [&](const std::vector<Array>& x) { return joined(x, drawn.axis); }, parts, {0, 0});
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t size = drawn.sizes[i];
    expect_values(cutting(drawn.sizes, drawn.axis, i),
                  [&](const std::vector<Array>& x) { return cut(x[0], drawn.axis, begin, size); },
                  {joined(parts, drawn.axis)}, {0, 0});
    begin += size;
  }
}

TEST(Concat, AndSplitMatchTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const Case drawn = draw(random, 1 + static_cast<int>(seed % 4), 7);
    SCOPED_TRACE(cat("seed ", seed, ": ", drawn.shape, " along ", drawn.axis));
    expect_both(random, drawn);
  }
}

TEST(Concat, AndSplitOfManyTilesMatchTheReference) {
  Random random(50);
  for (const Case& drawn : {Case{{100001}, 0, {1, 70000, 30000}}, Case{{301, 701}, 0, {300, 1}},
                            Case{{301, 701}, 1, {1, 350, 350}}, Case{{5003, 3, 7}, 1, {1, 2}},
                            Case{{3, 40000, 2}, 1, {39999, 1}}}) {
    SCOPED_TRACE(cat(drawn.shape, " along ", drawn.axis));
    expect_both(random, drawn);
  }
}

TEST(Concat, TakesTheSameValueTwiceAndIntegers) {
  Graph graph;
  const Value x = graph.input("x", {2, 1}, DType::i64);
  const Value y = concat({x, x}, 1);
  Session session(graph, {.fetches = {y}});
  const Sizes fed = {std::int64_t{1} << 60, -3};
  session.run({{x, fed}});
  Sizes result(4);
  session.fetch<std::int64_t>(y, result);
  EXPECT_EQ(result, (Sizes{fed[0], fed[0], fed[1], fed[1]}));
}

TEST(Concat, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 60; seed < 75; ++seed) {
    Random random(seed);
    const Case drawn = draw(random, 1 + static_cast<int>(seed % 3), 4);
    SCOPED_TRACE(cat("seed ", seed, ": ", drawn.shape, " along ", drawn.axis));
    const Builder build = [&](std::span<const Value> x) {
      const Value y = joining(drawn.axis)(x);
      return y * y;
    };
    expect_gradients(build, parts_of(random, drawn));
    if (seed % 5 == 0) expect_second_gradients(build, parts_of(random, drawn));
  }
}

TEST(Concat, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(80);
  for (const auto& [axis, other] :
       {std::pair(0, Shape{5, 31, 97}), std::pair(2, Shape{29, 31, 3})}) {
    const std::vector<Array> inputs = {random.array({29, 31, 97}), random.array(other)};
    EXPECT_GT(most_tiles(joining(axis), inputs), 2);
    expect_same_bits(joining(axis), inputs);
  }
}

TEST(Concat, RefusesWhatDoesNotFit) {
  EXPECT_EQ(refusal(joining(0), {{DType::f32, {2, 3}}, {DType::f32, {2, 4}}}),
            "concat 'y': input 1, f32 [2, 4], and input 0, f32 [2, 3], may differ in the size of "
            "axis 0 only");
  EXPECT_EQ(refusal(joining(-1), {{DType::f32, {2, 3}}, {DType::f64, {2, 3}}}),
            "concat 'y': input 1, f64 [2, 3], and input 0, f32 [2, 3], may differ in the size of "
            "axis 1 only");
  EXPECT_EQ(refusal(joining(0), {{DType::f32, {2}}, {DType::f32, {2, 1}}}),
            "concat 'y': input 1, f32 [2, 1], and input 0, f32 [2], may differ in the size of axis "
            "0 only");
  EXPECT_EQ(refusal(joining(1), {{DType::f32, {2}}}),
            "concat 'y': axis 1 is out of range for shape [2]: it must be in [-1, 1)");
  EXPECT_EQ(error_of([] { concat({}, 0, "y"); }), "concat 'y': there are no inputs");
}

TEST(Split, TheLastPartOfASizeMayBeSmaller) {
  Graph graph;
  const Value x = graph.input("x", {2, 7});
  const auto sizes = [&](std::int64_t split_size) {
    Sizes found;
    for (const Value& part : split(x, split_size, -1)) {
      EXPECT_EQ(part.shape()[0], 2);
      found.push_back(part.shape()[1]);
    }
    return found;
  };
  EXPECT_EQ(sizes(3), (Sizes{3, 3, 1}));
  EXPECT_EQ(sizes(7), (Sizes{7}));
  EXPECT_EQ(sizes(99), (Sizes{7}));
  EXPECT_EQ(sizes(1), (Sizes{1, 1, 1, 1, 1, 1, 1}));
}

TEST(Split, GradientsMatchCentralDifferences) {
  for (std::uint64_t seed = 90; seed < 100; ++seed) {
    Random random(seed);
    const Case drawn = draw(random, 1 + static_cast<int>(seed % 3), 4);
    SCOPED_TRACE(cat("seed ", seed, ": ", drawn.shape, " along ", drawn.axis));
    // Every second part is left unused.
    const Builder build = [&](std::span<const Value> x) {
      const std::vector<Value> parts = split(x[0], drawn.sizes, drawn.axis, "y");
      Value total = sum(parts[0] * parts[0]);
      for (std::size_t i = 2; i < parts.size(); i += 2) total = total + sum(exp(parts[i]));
      return total;
    };
    expect_gradients(build, {random.array(drawn.shape)});
    if (seed % 5 == 0) expect_second_gradients(build, {random.array(drawn.shape)});
  }
}

TEST(Split, BackwardIsOneNode) {
  Graph graph;
  const Value x = graph.input("x", {4, 6});
  const std::vector<Value> parts = split(x, 2, 1);
  const Value loss = sum(parts[0] * parts[1] * parts[2]);
  const std::size_t before = graph.nodes().size();
  gradients(loss, {x});
  int concats = 0;
  for (std::size_t i = before; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.kind == NodeKind::op) concats += node.op->name() == "concat" ? 1 : 0;
    EXPECT_TRUE(node.kind != NodeKind::op || node.op->name() != "accumulate");
  }
  EXPECT_EQ(concats, 1);
}

TEST(Split, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(101);
  const std::vector<Array> inputs = {random.array({29, 32, 97})};
  for (const int axis : {1, 2}) {
    const Builder build = [=](std::span<const Value> x) {
      const std::vector<Value> parts = split(x[0], 16, axis, "y");
      return parts[0] * parts[1];
    };
    EXPECT_GT(most_tiles(build, inputs), 2);
    expect_same_bits(build, inputs);
  }
}

TEST(Split, RefusesWhatDoesNotFit) {
  const Type type{DType::f32, {2, 6}};
  for (const Sizes& sizes : {Sizes{2, 3}, Sizes{4, 3}, Sizes{6, 0}, Sizes{7, -1}, Sizes{}}) {
    EXPECT_EQ(refusal(cutting(sizes, 1, 0), {type}),
              cat("split 'y': sizes ", index_text(sizes),
                  " must be at least 1 and sum to 6, the size of axis 1 of [2, 6]"));
  }
  for (const std::int64_t size : {0, -2}) {
    EXPECT_EQ(refusal([=](auto x) { return split(x[0], size, 0, "y")[0]; }, {type}),
              cat("split 'y': split_size must be at least 1, got ", size));
  }
  EXPECT_EQ(refusal(cutting({2}, 2, 0), {type}),
            "split 'y': axis 2 is out of range for shape [2, 6]: it must be in [-2, 2)");
}

}  // namespace
}  // namespace gradmill
