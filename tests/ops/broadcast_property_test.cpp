#include <gradmill/ops/broadcast.h>
#include <gradmill/ops/elementwise/broadcast.h>
#include <gradmill/ops/reduce/sum_and_broadcast.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/generators.h"

namespace gradmill {
namespace {

constexpr std::int64_t kMost = 100'000;  // elements: several tiles

struct Case {
  Shape wide;
  Shape part;
  double count() const {
    return static_cast<double>(wide.elements()) / static_cast<double>(part.elements());
  }
};

Case drawn_case() {
  const Shape wide = drawn_shape(static_cast<int>(drawn("rank", 0, 5)), kMost);
  return {wide, drawn_part(wide)};
}

Builder to(const Shape& shape) {
  return [=](std::span<const Value> x) { return broadcast_to(x[0], shape); };
}

Builder back_to(const Shape& shape) {
  return [=](std::span<const Value> x) { return unbroadcast(x[0], shape); };
}

double inner(const Array& a, const Array& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

TEST(BroadcastProperty, ThereAndBackMultipliesByTheCount) {
  holds([] {
    const Case drawn = drawn_case();
    const DType dtype = drawn_dtype();
    Random random = drawn_random();
    const Array x = on_grid(random, drawn.part);
    const Builder round_trip = [&](std::span<const Value> v) {
      return unbroadcast(broadcast_to(v[0], drawn.wide), drawn.part);
    };
    // Sums of equal numbers of the grid are exact.
    require_near("sum of the copies", computed(round_trip, {x}, dtype),
                 map(x, [&](double value) { return drawn.count() * value; }), 0);
  });
}

TEST(BroadcastProperty, UnbroadcastIsTheAdjoint) {
  holds([] {
    const Case drawn = drawn_case();
    const DType dtype = drawn_dtype();
    Random random = drawn_random();
    const Array x = on_grid(random, drawn.part);
    const Array u = on_grid(random, drawn.wide);
    const Array wide = computed(to(drawn.wide), {x}, dtype);
    const Array summed = computed(back_to(drawn.part), {u}, dtype);
    require_near("<broadcast x, u> and <x, unbroadcast u>", Array({}, {inner(wide, u)}),
                 Array({}, {inner(x, summed)}), 0);
    require_near("the gradient", computed(gradient_of(to(drawn.wide), 0), {x, u}, dtype), summed,
                 0);
  });
}

TEST(BroadcastProperty, UnbroadcastsGradientIsTheBroadcastUpstream) {
  holds([] {
    const Case drawn = drawn_case();
    const DType dtype = drawn_dtype();
    Random random = drawn_random();
    const Array x = random.array(drawn.wide);
    const Array u = on_grid(random, drawn.part);
    require_near("the gradient", computed(gradient_of(back_to(drawn.part), 0), {x, u}, dtype),
                 broadcast(u, drawn.wide), 0);
  });
}

TEST(BroadcastProperty, ShapesCombineInAnyOrderAndGrouping) {
  holds([] {
    const Shape wide = drawn_shape(static_cast<int>(drawn("rank", 0, 5)), kMost);
    const Shape a = drawn_part(wide);
    const Shape b = drawn_part(wide);
    const Shape c = drawn_part(wide);
    const auto equal = [](const Shape& one, const Shape& other) {
      check(one == other, "shapes ", one, " and ", other, " differ");
    };
    equal(broadcast_shapes(a, b), broadcast_shapes(b, a));
    equal(broadcast_shapes(broadcast_shapes(a, b), c), broadcast_shapes(a, broadcast_shapes(b, c)));
    equal(broadcast_shapes(a, a), a);
    equal(broadcast_shapes(a, wide), wide);
    equal(zip(Array(a), Array(b), std::plus<>()).shape, broadcast_shapes(a, b));
  });
}

}  // namespace
}  // namespace gradmill
