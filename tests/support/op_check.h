#pragma once

#include <gradmill/gradmill.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "array.h"

namespace gradmill {

/// Builds what is tested from its inputs, which are all of one dtype.
using Builder = std::function<Value(std::span<const Value>)>;

/// What a session computed.
Array to_array(const TensorView& view);

/// `array`'s numbers as a constant of that dtype.
Value constant(Graph& graph, const Array& array, DType dtype);

/// Runs `build` on inputs of that dtype, serially and on the flow graph with 3 threads, expects the
/// same bits of both, and returns them. A plan of a single tile runs serially only: it has nothing
/// to share, and oneTBB gets slower with each arena that a process has had. `options` may say the
/// rest. Any number of threads are `expect_same_bits`'s.
Array evaluate(const Builder& build, const std::vector<Array>& inputs, DType dtype,
               SessionOptions options = {});

/// The inputs as f32 holds them, so that a reference starts from the same numbers.
std::vector<Array> rounded_to_f32(std::vector<Array> inputs);

/// Expects shape and elements to agree: |a - b| <= tolerance (1 + |b|), or both NaN, or equal.
void expect_near(const Array& actual, const Array& expected, double tolerance);

struct Tolerance {
  double f32 = 2e-6;
  double f64 = 1e-14;
};

/// Expects the f32 and the f64 result to agree with the double-precision reference.
void expect_values(const Builder& build,
                   const std::function<Array(const std::vector<Array>&)>& reference,
                   const std::vector<Array>& inputs, Tolerance tolerance = {});

/// Expects `gradcheck` to find every element of the gradient for every input right, in f64 and with
/// that tolerance, absolute and relative; the inputs must keep away from kinks.
void expect_gradients(const Builder& build, const std::vector<Array>& inputs,
                      double tolerance = 1e-7);

/// The same for the gradients of the gradients.
void expect_second_gradients(const Builder& build, const std::vector<Array>& inputs,
                             double tolerance = 1e-6);

/// Expects result and gradients to have the same bits when run serially and on the flow graph with
/// 1, 2, 3 and 8 threads, in both dtypes.
void expect_same_bits(const Builder& build, const std::vector<Array>& inputs);

/// The number of tiles of the largest step of a plan that runs `build` in f32.
std::int64_t most_tiles(const Builder& build, const std::vector<Array>& inputs);

/// The message with which `build` refuses inputs of these types.
std::string refusal(const Builder& build, const std::vector<Type>& types);

}  // namespace gradmill
