#include "generators.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

namespace gradmill {

void holds(const std::function<void()>& property) {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  EXPECT_TRUE(rc::check(cat(test->test_suite_name(), ".", test->name()), property));
}

std::int64_t drawn(const std::string& what, std::int64_t low, std::int64_t high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(low, high + 1)).as(what);
}

bool drawn_bool(const std::string& what) { return drawn(what, 0, 1) == 1; }

DType drawn_dtype() { return drawn_bool("f64") ? DType::f64 : DType::f32; }

Random drawn_random() {
  constexpr std::uint64_t kSeeds = 1'000'000;
  return Random(*rc::gen::noShrink(
                     rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint64_t>(0, kSeeds)))
                     .as("seed"));
}

Shape drawn_shape(int rank, std::int64_t most) {
  constexpr std::int64_t kSmall = 9;
  // RapidCheck begins with small cases and lets them grow; here sizes are of every kind at once.
  const auto size_in = [](std::int64_t low, std::int64_t high) {
    return rc::gen::resize(rc::kNominalSize, rc::gen::inRange(low, high + 1));
  };
  std::vector<std::int64_t> sizes;
  std::int64_t left = most;
  for (int k = 0; k < rank; ++k) {
    const std::int64_t small = std::min(kSmall, left);
    sizes.push_back(*rc::gen::weightedOneOf<std::int64_t>(
                         {{2, size_in(1, 1)}, {6, size_in(1, small)}, {2, size_in(small, left)}})
                         .as(cat("size of axis ", k)));
    left /= sizes.back();
  }
  return Shape(sizes);
}

Shape drawn_part(const Shape& shape) {
  if (drawn("the whole shape", 0, 2) == 0) return shape;
  std::vector<std::int64_t> sizes = shape.sizes();
  for (std::int64_t& size : sizes) {
    if (size > 1 && drawn("axis broadcast", 0, 2) == 2) size = 1;
  }
  sizes.erase(sizes.begin(), sizes.begin() + drawn("leading axes left out", 0, shape.rank()));
  return Shape(sizes);
}

std::vector<std::int64_t> drawn_order(std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  Random random = drawn_random();
  for (std::int64_t i = n - 1; i > 0; --i) {
    std::swap(order[static_cast<std::size_t>(i)],
              order[static_cast<std::size_t>(random.integer(0, i))]);
  }
  return order;
}

Array on_grid(Random& random, const Shape& shape) {
  Array result(shape);
  for (double& value : result.data) value = static_cast<double>(random.integer(-128, 128)) / 64;
  return result;
}

Array computed(const Builder& build, const std::vector<Array>& inputs, DType dtype) {
  const auto failures = [] {
    return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
  };
  const int before = failures();
  Array result = evaluate(build, inputs, dtype);
  if (failures() > before) RC_FAIL("see the failures above");
  return result;
}

Builder gradient_of(const Builder& build, std::size_t k) {
  return [=](std::span<const Value> x) {
    return gradients({build(x.first(x.size() - 1))}, {x[k]}, {x.back()})[0];
  };
}

double roundoff(DType dtype) { return dtype == DType::f32 ? 0x1p-24 : 0x1p-52; }

void require_within(const std::string& what, const Array& actual, const Array& expected,
                    const Array& bound) {
  if (actual.shape != expected.shape) {
    RC_FAIL(cat(what, ": shape ", actual.shape, " rather than ", expected.shape));
  }
  for (std::int64_t i = 0; i < actual.size(); ++i) {
    // Not "> bound", which a NaN passes.
    if (std::abs(actual[i] - expected[i]) <= bound[i]) continue;
    std::ostringstream text;
    text.precision(17);
    text << what << ": element " << i << " of " << actual.shape << " is " << actual[i]
         << " rather than " << expected[i] << " within " << bound[i];
    RC_FAIL(text.str());
  }
}

void require_near(const std::string& what, const Array& actual, const Array& expected,
                  double bound) {
  require_within(what, actual, expected, Array(expected.shape, bound));
}

}  // namespace gradmill
