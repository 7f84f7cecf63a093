#pragma once

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "op_check.h"

namespace gradmill {

/// tests/data/pytorch/`name`.json: inputs and what PyTorch computed from them in float64, written
/// by tests/reference/make.py. Read once.
const nlohmann::json& pytorch_numbers(const std::string& name);

/// `{"shape": [..], "data": [..]}`; infinities and NaN are strings there.
Array to_array(const nlohmann::json& json);
/// An array of numbers, row-major.
Array to_array(const nlohmann::json& data, const Shape& shape);

/// Gives a parameter of that dtype `array`'s numbers.
void assign(const Session& session, std::string_view name, const Array& array, DType dtype);

/// Numbers to feed to a floating input, kept in its dtype.
class Fed {
 public:
  Fed(Value input, const Array& array);
  Feed feed() const;  ///< refers to this

 private:
  Value input_;
  std::vector<float> f32_;
  std::vector<double> f64_;
};

struct Outcome {
  Array result;
  std::vector<Array> gradients;  ///< of sum(result * upstream), one per input
};

/// How far f32 may be from PyTorch's float64: |a - b| <= relative |b| + absolute.
struct Bound {
  double relative = 1e-5;
  /// By default only what f32 cannot hold with all its digits. A sum that cancels needs more.
  double absolute = std::numeric_limits<float>::min();
};

/// Elements agree: within `f32` for that dtype, and for f64 within 1e-12 (1 + |expected|). NaN
/// agrees with NaN only.
void expect_agrees(const Array& actual, const Array& expected, DType dtype, Bound f32 = {});

/// Runs `build` and its gradients once: serially with one thread, on the flow graph with more.
Outcome outcome(const Builder& build, const std::vector<Array>& inputs, const Array& upstream,
                DType dtype, int threads);

/// Of f32.
struct Bounds {
  Bound result = {};
  Bound gradients = {};
};

/// Runs `build` and its gradients in both dtypes, with 1 and 3 threads. Expects what PyTorch
/// computed, and the same bits from both.
void expect_outcome(const Builder& build, const std::vector<Array>& inputs, const Array& upstream,
                    const Outcome& expected, Bounds f32 = {});

/// Calls `run` for both dtypes with 1 and 3 threads; it checks its results with `expect_agrees` and
/// returns them. Expects the same bits from both.
void with_threads(const std::function<std::vector<Array>(DType, int threads)>& run);

}  // namespace gradmill
