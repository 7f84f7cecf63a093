#include <gradmill/ops/softmax.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/generators.h"

namespace gradmill {
namespace {

constexpr std::int64_t kMost = 40'000;  // elements: several tiles, and columns in several blocks

struct Kind {
  const char* name;
  Value (*build)(Value, int, std::string);
  bool logarithm;
};

struct Case {
  Shape shape;
  int axis;
  DType dtype;
  Random random;

  std::int64_t n() const { return shape[normalize_axis(axis, shape)]; }
  Array logits(double size = 8) { return random.array(shape, -size, size); }
  Array sums(const Array& x) const {
    return reduce(x, {axis}, true, [](const std::vector<double>& row) {
      double sum = 0;
      for (const double value : row) sum += value;
      return sum;
    });
  }
};

Case drawn_case() {
  const int rank = static_cast<int>(drawn("rank", 1, 4));
  const Shape shape = drawn_shape(rank, kMost);
  const int axis = static_cast<int>(drawn("axis", -rank, rank - 1));
  const DType dtype = drawn_dtype();
  return {shape, axis, dtype, drawn_random()};
}

Builder along(const Kind& kind, int axis) {
  return [=](std::span<const Value> x) { return kind.build(x[0], axis, {}); };
}

// Bounds in units of roundoff, for logits in [-size, size] along an axis of n. The kernel rounds
// x - m (an error of at most 2 size), takes exp within 4 units in the last place (8 roundings),
// adds n terms in some order (n), and multiplies by a rounded reciprocal (2): numerator and sum
// together make the relative error of a probability at most this.
double probability_bound(double size, std::int64_t n) {
  return 4 * size + static_cast<double>(n) + 20;
}
// The logarithm of the sum has the relative error of the sum and 2 roundings of its own (log n is
// below n), and the difference y is rounded: an absolute error.
double logarithm_bound(double size, std::int64_t n, double y) {
  return 4 * size + 3 * static_cast<double>(n) + 20 + std::abs(y);
}

class SoftmaxProperty : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Ops, SoftmaxProperty,
                         testing::Values(Kind{"softmax", softmax, false},
                                         Kind{"log_softmax", log_softmax, true}),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(SoftmaxProperty, TracksDoublePrecisionWithinItsBound) {
  const Kind kind = GetParam();
  holds([&] {
    Case drawn = drawn_case();
    constexpr double kSize = 20;
    const Array x = rounded_to_f32({drawn.logits(kSize)})[0];
    const Array expected = softmax(x, drawn.axis, kind.logarithm);
    const double unit = roundoff(drawn.dtype);
    const Array bound = map(expected, [&](double y) {
      return unit * (kind.logarithm ? logarithm_bound(kSize, drawn.n(), y)
                                    : probability_bound(kSize, drawn.n()) * y);
    });
    require_within("y", computed(along(kind, drawn.axis), {x}, drawn.dtype), expected, bound);
  });
}

TEST_P(SoftmaxProperty, AShiftOfARowChangesNothing) {
  const Kind kind = GetParam();
  holds([&] {
    Case drawn = drawn_case();
    const Array x = on_grid(drawn.random, drawn.shape);
    std::vector<std::int64_t> sizes = drawn.shape.sizes();
    sizes[static_cast<std::size_t>(normalize_axis(drawn.axis, drawn.shape))] = 1;
    const Array shift = map(on_grid(drawn.random, Shape(sizes)), [](double c) { return 1000 * c; });
    const Builder build = along(kind, drawn.axis);
    // On the grid x + shift is exact, and so is x - m: not one bit may change.
    require_near("y", computed(build, {zip(x, shift, std::plus<>())}, drawn.dtype),
                 computed(build, {x}, drawn.dtype), 0);
  });
}

TEST_P(SoftmaxProperty, TheGradientOfARowSumsToZero) {
  const Kind kind = GetParam();
  holds([&] {
    Case drawn = drawn_case();
    const Array x = drawn.logits();
    const Array u = drawn.random.array(drawn.shape);
    const Array gradient = computed(gradient_of(along(kind, drawn.axis), 0), {x, u}, drawn.dtype);
    const Array sums = drawn.sums(gradient);
    // Upstreams are at most 2, so that sum |y dy| <= 2 for softmax and sum |dy| <= 2 n for its
    // logarithm; each is off by a few of the bounds above.
    const double most = kind.logarithm ? 2 * static_cast<double>(drawn.n()) : 2;
    require_near("sum of the gradient", sums, Array(sums.shape),
                 3 * most * roundoff(drawn.dtype) * logarithm_bound(8, drawn.n(), 20));
  });
}

TEST_P(SoftmaxProperty, TheGradientIsLinearInTheUpstream) {
  const Kind kind = GetParam();
  holds([&] {
    Case drawn = drawn_case();
    const Array x = drawn.logits();
    const Array u = on_grid(drawn.random, drawn.shape);
    const Array v = on_grid(drawn.random, drawn.shape);
    const double a = static_cast<double>(drawn.random.integer(-3, 3));
    const double b = static_cast<double>(drawn.random.integer(-3, 3));
    const auto combined = [&](const Array& s, const Array& t) {
      return zip(s, t, [&](double p, double q) { return a * p + b * q; });
    };
    const auto gradient = [&](const Array& upstream) {
      return computed(gradient_of(along(kind, drawn.axis), 0), {x, upstream}, drawn.dtype);
    };
    // As above, for three gradients with upstreams of at most 12 in all.
    const double most = kind.logarithm ? 12 * static_cast<double>(drawn.n()) : 12;
    require_near("G(a u + b v)", gradient(combined(u, v)), combined(gradient(u), gradient(v)),
                 3 * most * roundoff(drawn.dtype) * logarithm_bound(8, drawn.n(), 20));
  });
}

TEST_P(SoftmaxProperty, PermutingTheClassesPermutesResultAndGradient) {
  const Kind kind = GetParam();
  holds([&] {
    Case drawn = drawn_case();
    const int axis = normalize_axis(drawn.axis, drawn.shape);
    const std::vector<std::int64_t> order = drawn_order(drawn.n());
    const auto permuted = [&](const Array& x) {
      Array y(x.shape);
      for (std::int64_t i = 0; i < x.size(); ++i) {
        Index index = index_of(i, x.shape);
        std::int64_t& k = index[static_cast<std::size_t>(axis)];
        k = order[static_cast<std::size_t>(k)];
        y[i] = x[flat_of(index, x.shape)];
      }
      return y;
    };
    const Array x = drawn.logits();
    const Array u = drawn.random.array(drawn.shape);
    const Builder build = along(kind, axis);
    const double unit = 2 * roundoff(drawn.dtype);
    require_near("y", computed(build, {permuted(x)}, drawn.dtype),
                 permuted(computed(build, {x}, drawn.dtype)),
                 unit * logarithm_bound(8, drawn.n(), 30));
    const double most = kind.logarithm ? 2 * static_cast<double>(drawn.n()) : 2;
    require_near("dx", computed(gradient_of(build, 0), {permuted(x), permuted(u)}, drawn.dtype),
                 permuted(computed(gradient_of(build, 0), {x, u}, drawn.dtype)),
                 3 * most * unit * logarithm_bound(8, drawn.n(), 20));
  });
}

TEST(SoftmaxRows, RowsSumToOne) {
  holds([] {
    Case drawn = drawn_case();
    const Array x = drawn.logits(30);
    const Builder build = along({"", softmax, false}, drawn.axis);
    const Array sums = drawn.sums(computed(build, {x}, drawn.dtype));
    // The shares have one sum in common, whose error the n terms and the reciprocal make; what
    // exp's errors and those of x - m do to a share they do to the sum as well.
    require_near("sum", sums, Array(sums.shape, 1),
                 roundoff(drawn.dtype) * (static_cast<double>(drawn.n()) + 4));
  });
}

TEST(SoftmaxRows, TheExponentialOfTheLogarithmIsTheProbability) {
  holds([] {
    Case drawn = drawn_case();
    constexpr double kSize = 20;
    const Array x = drawn.logits(kSize);
    const Array y = computed(along({"", softmax, false}, drawn.axis), {x}, drawn.dtype);
    const Array logs = computed(along({"", log_softmax, true}, drawn.axis), {x}, drawn.dtype);
    const double unit = roundoff(drawn.dtype);
    const Array bound = map(y, [&](double p) {
      return 1.01 * p * unit *
             (probability_bound(kSize, drawn.n()) + logarithm_bound(kSize, drawn.n(), std::log(p)));
    });
    require_within("exp(log_softmax)", map(logs, [](double value) { return std::exp(value); }), y,
                   bound);
  });
}

}  // namespace
}  // namespace gradmill
