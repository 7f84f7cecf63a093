#pragma once

// Internal: not installed.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <gradmill/graph/gradcheck.h>
#include <gradmill/graph/gradcheck/slope.h>

namespace gradmill {

/// How bad a slope is, to find the worst: failures before the rest, kinks last.
double severity(const GradcheckSlope& slope);

/// Compares the elements of one tensor, and fills in its part of the report.
class TensorCheck {
 public:
  /// `x` are its elements, which are as they were after each comparison; `gradient` is what
  /// autodiff gives for them. Both stay where they are.
  TensorCheck(GradcheckTensor& tensor, std::span<double> x, std::span<const double> gradient,
              SlopeProbe& probe, const GradcheckOptions& options);

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
  const GradcheckOptions& options_;
  std::vector<double> direction_;
  std::vector<bool> seen_;
  int budget_ = 0;
};

}  // namespace gradmill
