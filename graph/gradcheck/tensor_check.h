#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <gradmill/graph/gradcheck/slope.h>
#include <gradmill/graph/gradcheck_report.h>

namespace gradmill {

/// As in GradcheckOptions.
struct TensorCheckOptions {
  double eps;
  double atol;
  double rtol;
  std::int64_t samples;
  std::uint64_t seed;
};

/// Compares the elements of one tensor, and fills in its part of the report.
class TensorCheck {
 public:
  /// `x` are its elements, which are as they were after each comparison; `gradient` is what
  /// autodiff gives for them. Both stay where they are.
  TensorCheck(GradcheckTensor& tensor, std::span<double> x, std::span<const double> gradient,
              SlopeProbe& probe, const TensorCheckOptions& options);

  void all();
  /// Some elements and a random direction, both drawn from the seed and the tensor's `number`.
  void sampled(std::size_t number);

 private:
  Comparison compare_element(std::int64_t element);
  void note(const GradcheckSlope& slope);
  Comparison compare_range(std::int64_t begin, std::int64_t end);
  bool fails_within(std::int64_t begin, std::int64_t end, const Comparison& comparison);

  GradcheckTensor& tensor_;
  std::span<double> x_;
  std::span<const double> gradient_;
  SlopeProbe& probe_;
  TensorCheckOptions options_;
  std::vector<double> direction_;
  std::vector<bool> seen_;
  int budget_ = 0;
};

}  // namespace gradmill
