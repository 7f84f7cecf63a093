#include <gradmill/ops/broadcast.h>
#include <gradmill/ops/elementwise/broadcast.h>
#include <gradmill/ops/reduce/sum_and_broadcast.h>
#include <gtest/gtest.h>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

Builder to(const Shape& shape) {
  return [=](std::span<const Value> x) { return broadcast_to(x[0], shape, "y"); };
}

TEST(BroadcastTo, RepeatsLikeTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 5), 7);
    std::vector<std::int64_t> sizes = shape.sizes();
    for (std::int64_t& size : sizes) {
      if (random.integer(0, 1) == 0) size = 1;
    }
    sizes.erase(sizes.begin(), sizes.begin() + random.integer(0, shape.rank()));
    SCOPED_TRACE(cat("seed ", seed, ": ", Shape(sizes), " to ", shape));
    const Array x = random.array(Shape(sizes));
    expect_values(to(shape),
                  [&](const std::vector<Array>& inputs) { return broadcast(inputs[0], shape); },
                  {x}, {0, 0});
    if (shape.elements() < 200) expect_gradients(to(shape), {x});
  }
}

TEST(BroadcastTo, TakesLabels) {
  Graph graph;
  const Value x = graph.input("x", {2, 1}, DType::i64);
  const Value y = broadcast_to(x, {2, 3});
  Session session(graph, {.fetches = {y}});
  session.run({{x, std::vector<std::int64_t>{5, -7}}});
  std::vector<std::int64_t> result(6);
  session.fetch<std::int64_t>(y, result);
  EXPECT_EQ(result, (std::vector<std::int64_t>{5, 5, 5, -7, -7, -7}));
}

TEST(BroadcastTo, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(1);
  const std::vector<Array> inputs = {random.array({311, 1, 3})};
  EXPECT_GT(most_tiles(to({311, 157, 3}), inputs), 2);
  expect_same_bits(to({311, 157, 3}), inputs);
}

TEST(BroadcastTo, RefusesOtherSizes) {
  EXPECT_EQ(refusal(to({2, 4}), {{DType::f32, {3}}}),
            "broadcast_to 'y': shape [3] does not broadcast to [2, 4]: aligned at the last axis, "
            "each size must be 1 or the target's");
  EXPECT_EQ(refusal(to({3}), {{DType::f32, {1, 3}}}),
            "broadcast_to 'y': shape [1, 3] does not broadcast to [3]: aligned at the last axis, "
            "each size must be 1 or the target's");
}

TEST(BroadcastShapes, FollowNumPy) {
  EXPECT_EQ(broadcast_shapes({}, {}), Shape());
  EXPECT_EQ(broadcast_shapes({3}, {}), Shape({3}));
  EXPECT_EQ(broadcast_shapes({2, 1, 4}, {3, 1}), Shape({2, 3, 4}));
  EXPECT_EQ(error_of([] {
              broadcast_shapes({2, 3}, {3, 3});
            }),
            "shapes [2, 3] and [3, 3] do not broadcast: on axis -2, 2 and 3 differ and neither "
            "is 1");
}

TEST(Unbroadcast, LeavesAGradientOfTheRightShapeAlone) {
  Graph graph;
  const Value x = graph.input("x", {2, 3});
  EXPECT_EQ(unbroadcast(x, {2, 3}), x);
  EXPECT_EQ(unbroadcast(x, {}).shape(), Shape());
  EXPECT_EQ(unbroadcast(x, {1, 3}).shape(), Shape({1, 3}));
}

}  // namespace
}  // namespace gradmill
