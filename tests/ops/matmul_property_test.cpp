#include <gradmill/ops/matmul.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/generators.h"

namespace gradmill {
namespace {

// op(A) [batch a, M, K] and op(B) [batch b, K, N] before either lost its M or N to be a vector.
struct Case {
  Shape batch_a, batch_b;
  std::int64_t m, n, k;
  bool vector_a, vector_b;
  MatmulOptions options;
  DType dtype;
  Random random;

  Shape batch() const { return zip(Array(batch_a), Array(batch_b), std::plus<>()).shape; }
  Shape shape_a() const {
    if (vector_a) return {k};
    return options.transpose_a ? joined(batch_a, {k, m}) : joined(batch_a, {m, k});
  }
  Shape shape_b() const {
    if (vector_b) return {k};
    return options.transpose_b ? joined(batch_b, {n, k}) : joined(batch_b, {k, n});
  }
  Shape shape_c() const {
    std::vector<std::int64_t> sizes = batch().sizes();
    if (!vector_a) sizes.push_back(m);
    if (!vector_b) sizes.push_back(n);
    return Shape(sizes);
  }
  Builder build() const {
    return [o = options](std::span<const Value> x) { return matmul(x[0], x[1], o); };
  }

  // Calls f(c, a, b) with the elements of each term of c_ij = sum_k a_ik b_kj.
  template <class F>
  void for_terms(F f) const {
    const Shape all = batch();
    const auto offset = [&](std::int64_t flat, const Shape& part) {
      Index index = index_of(flat, all);
      index.erase(index.begin(), index.begin() + (all.rank() - part.rank()));
      for (int axis = 0; axis < part.rank(); ++axis) {
        if (part[axis] == 1) index[static_cast<std::size_t>(axis)] = 0;
      }
      return flat_of(index, part);
    };
    for (std::int64_t flat = 0; flat < all.elements(); ++flat) {
      const std::int64_t a0 = offset(flat, batch_a) * m * k;
      const std::int64_t b0 = offset(flat, batch_b) * k * n;
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          for (std::int64_t l = 0; l < k; ++l) {
            f((flat * m + i) * n + j, a0 + (options.transpose_a ? l * m + i : i * k + l),
              b0 + (options.transpose_b ? j * k + l : l * n + j));
          }
        }
      }
    }
  }

  static Shape joined(const Shape& batch, std::initializer_list<std::int64_t> matrix) {
    std::vector<std::int64_t> sizes = batch.sizes();
    sizes.insert(sizes.end(), matrix);
    return Shape(sizes);
  }
};

Case drawn_case() {
  const bool vector_a = drawn("A is a vector", 0, 6) == 6;
  const bool vector_b = drawn("B is a vector", 0, 6) == 6;
  constexpr std::int64_t kMostBatches = 24;
  const Shape batch = drawn_shape(static_cast<int>(drawn("batch axes", 0, 3)), kMostBatches);
  const Shape batch_a = vector_a ? Shape() : drawn_part(batch);
  const Shape batch_b = vector_b ? Shape() : drawn_part(batch);
  // Each of the three may be long enough for several tiles; all together stay within 100,000.
  const Shape sizes = drawn_shape(3, 100'000 / batch.elements());
  const auto order = drawn_order(3);
  const auto size = [&](std::size_t i) { return sizes[static_cast<int>(order[i])]; };
  const MatmulOptions options{.transpose_a = !vector_a && drawn_bool("A transposed"),
                              .transpose_b = !vector_b && drawn_bool("B transposed")};
  const DType dtype = drawn_dtype();
  return {
      batch_a, batch_b, vector_a ? 1 : size(0), vector_b ? 1 : size(1), size(2), vector_a, vector_b,
      options, dtype,   drawn_random()};
}

// A sum of products: its value, the sum of their magnitudes and their number. Whatever the order of
// adding n products up, and fused or not, the result is off by at most n + 1 roundings of the sum
// of magnitudes (N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sec. 3.1).
struct Sums {
  explicit Sums(const Shape& shape) : value(shape), magnitude(shape), count(shape) {}
  void add(std::int64_t i, double a, double b) {
    value[i] += a * b;
    magnitude[i] += std::abs(a * b);
    count[i] += 1;
  }
  Array bound(DType dtype) const {
    return zip(magnitude, count,
               [&](double size, double terms) { return roundoff(dtype) * (terms + 1) * size; });
  }
  Array value, magnitude, count;
};

TEST(MatmulProperty, ProductAndGradientsAreThoseOfTheLoops) {
  holds([] {
    Case drawn = drawn_case();
    const std::vector<Array> x =
        rounded_to_f32({drawn.random.array(drawn.shape_a()), drawn.random.array(drawn.shape_b()),
                        drawn.random.array(drawn.shape_c())});
    Sums c(drawn.shape_c());
    Sums da(drawn.shape_a());
    Sums db(drawn.shape_b());
    drawn.for_terms([&](std::int64_t at, std::int64_t a, std::int64_t b) {
      c.add(at, x[0][a], x[1][b]);
      da.add(a, x[2][at], x[1][b]);
      db.add(b, x[2][at], x[0][a]);
    });
    const DType dtype = drawn.dtype;
    const Builder build = drawn.build();
    require_within("C", computed(build, {x[0], x[1]}, dtype), c.value, c.bound(dtype));
    require_within("dA", computed(gradient_of(build, 0), x, dtype), da.value, da.bound(dtype));
    require_within("dB", computed(gradient_of(build, 1), x, dtype), db.value, db.bound(dtype));
  });
}

TEST(MatmulProperty, SmallIntegersMultiplyExactly) {
  holds([] {
    Case drawn = drawn_case();
    // Integers up to 4: not even 100,000 products leave the 24 bits of f32.
    const auto integers = [&](const Shape& shape) {
      return map(on_grid(drawn.random, shape), [](double x) { return std::round(2 * x); });
    };
    const Array a = integers(drawn.shape_a());
    const Array b = integers(drawn.shape_b());
    Sums c(drawn.shape_c());
    drawn.for_terms(
        [&](std::int64_t at, std::int64_t i, std::int64_t j) { c.add(at, a[i], b[j]); });
    require_near("C", computed(drawn.build(), {a, b}, drawn.dtype), c.value, 0);
  });
}

TEST(MatmulProperty, GradientsAreLinearInTheUpstream) {
  holds([] {
    Case drawn = drawn_case();
    const Array a = drawn.random.array(drawn.shape_a());
    const Array b = drawn.random.array(drawn.shape_b());
    const Array u = on_grid(drawn.random, drawn.shape_c());
    const Array v = on_grid(drawn.random, drawn.shape_c());
    const double p = static_cast<double>(drawn.random.integer(-3, 3));
    const double q = static_cast<double>(drawn.random.integer(-3, 3));
    const auto combined = [&](const Array& s, const Array& t) {
      return zip(s, t, [&](double x, double y) { return p * x + q * y; });
    };
    Sums da(a.shape);
    Sums db(b.shape);
    drawn.for_terms([&](std::int64_t at, std::int64_t i, std::int64_t j) {
      const double size = std::abs(p * u[at]) + std::abs(q * v[at]);
      da.add(i, size, b[j]);
      db.add(j, size, a[i]);
    });
    for (const std::size_t k : {std::size_t{0}, std::size_t{1}}) {
      const auto gradient = [&](const Array& upstream) {
        return computed(gradient_of(drawn.build(), k), {a, b, upstream}, drawn.dtype);
      };
      // Both sides are off by the bound of the loops, and each input b or a by its own rounding.
      const Array bound =
          map((k == 0 ? da : db).bound(drawn.dtype), [](double x) { return 2 * x; });
      require_within(k == 0 ? "dA" : "dB", gradient(combined(u, v)),
                     combined(gradient(u), gradient(v)), bound);
    }
  });
}

TEST(MatmulProperty, PermutingTheRowsPermutesResultAndGradient) {
  holds([] {
    Case drawn = drawn_case();
    drawn.vector_a = false;
    drawn.options.transpose_a = false;
    const std::vector<std::int64_t> order = drawn_order(drawn.m);
    // Rows of an array [..., M, columns].
    const auto permuted = [&](const Array& x, std::int64_t columns) {
      Array y(x.shape);
      for (std::int64_t i = 0; i < x.size(); ++i) {
        const std::int64_t row = i / columns % drawn.m;
        y[i] = x[i + (order[static_cast<std::size_t>(row)] - row) * columns];
      }
      return y;
    };
    const Array a = drawn.random.array(drawn.shape_a());
    const Array b = drawn.random.array(drawn.shape_b());
    const Array u = drawn.random.array(drawn.shape_c());
    Sums c(drawn.shape_c());
    Sums da(drawn.shape_a());
    Sums db(drawn.shape_b());
    drawn.for_terms([&](std::int64_t at, std::int64_t i, std::int64_t j) {
      c.add(at, a[i], b[j]);
      da.add(i, u[at], b[j]);
      db.add(j, u[at], a[i]);
    });
    const auto twice = [&](const Sums& sums) {
      return map(sums.bound(drawn.dtype), [](double x) { return 2 * x; });
    };
    const Builder build = drawn.build();
    const DType dtype = drawn.dtype;
    const Array permuted_a = permuted(a, drawn.k);
    const Array permuted_u = permuted(u, drawn.n);
    require_within("C", computed(build, {permuted_a, b}, dtype),
                   permuted(computed(build, {a, b}, dtype), drawn.n), permuted(twice(c), drawn.n));
    require_within("dA", computed(gradient_of(build, 0), {permuted_a, b, permuted_u}, dtype),
                   permuted(computed(gradient_of(build, 0), {a, b, u}, dtype), drawn.k),
                   permuted(twice(da), drawn.k));
    require_within("dB", computed(gradient_of(build, 1), {permuted_a, b, permuted_u}, dtype),
                   computed(gradient_of(build, 1), {a, b, u}, dtype), twice(db));
  });
}

}  // namespace
}  // namespace gradmill
