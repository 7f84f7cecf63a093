#pragma once

#include <functional>
#include <string>
#include <vector>

#include "op_check.h"

namespace gradmill {

// What the property tests share. RapidCheck draws a case, and shrinks one that fails: ranks, sizes
// and options go to the first of their range, so that the case printed is about the smallest. The
// elements come from a `Random` whose seed is part of the case.

/// Draws about 100 cases and expects `property` to return for every one: a failed `require_...` and
/// any exception are failures. Prints the seed; RC_PARAMS in the environment sets another, and more
/// cases.
void holds(const std::function<void()>& property);

/// In [low, high].
std::int64_t drawn(const std::string& what, std::int64_t low, std::int64_t high);
bool drawn_bool(const std::string& what);
/// f32 or f64.
DType drawn_dtype();
Random drawn_random();
/// Many sizes are 1, most are below 10, and a few are as long as `most` elements in all allow.
Shape drawn_shape(int rank, std::int64_t most);
/// A shape that broadcasts to `shape`: some axes are 1, and some leading ones may be missing.
Shape drawn_part(const Shape& shape);
/// The numbers 0 to n - 1 in any order.
std::vector<std::int64_t> drawn_order(std::int64_t n);

/// Multiples of 1/64 in [-2, 2]: products with small integers and sums of many thousands are exact
/// in f32, in any order.
Array on_grid(Random& random, const Shape& shape);

/// What `evaluate` gives; the case fails where it finds that threads change bits.
Array computed(const Builder& build, const std::vector<Array>& inputs, DType dtype);

/// From the inputs of `build` and the upstream of its result, the gradient for input `k`.
Builder gradient_of(const Builder& build, std::size_t k);

/// The most that one rounding changes, relative to the result. A reference in double precision
/// rounds just as an f64 kernel does, which doubles what may lie between the two.
double roundoff(DType dtype);

/// Fails the case unless |actual - expected| <= bound for each element. `what` names the results.
void require_within(const std::string& what, const Array& actual, const Array& expected,
                    const Array& bound);
/// The same bound for all elements; 0 asks for equality.
void require_near(const std::string& what, const Array& actual, const Array& expected,
                  double bound);

}  // namespace gradmill
