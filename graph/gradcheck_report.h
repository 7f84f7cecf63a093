#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gradmill/runtime/export.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

enum class GradcheckVerdict : std::uint8_t {
  fine,
  kink,        ///< not differentiable here; the gradient lies between the slopes of the two sides
  wrong,       ///< the gradient is not the slope
  outside,     ///< not differentiable here, and the gradient is outside of the slopes of the sides
  not_smooth,  ///< no slope to compare with: the value jumps, or the slopes of the sides diverge
  not_finite,  ///< the element, its gradient, or the value beside it is a NaN or an infinity
};

/// One comparison: |analytic - numeric| with the tolerance for it.
struct GRADMILL_API GradcheckSlope {
  double analytic = 0;
  double numeric = 0;
  double error = 0;
  double tolerance = 0;
  GradcheckVerdict verdict = GradcheckVerdict::fine;

  bool ok() const { return verdict == GradcheckVerdict::fine || verdict == GradcheckVerdict::kink; }
  /// How bad it is, to find the worst: failures before the rest, kinks last.
  double severity() const;
};

struct GradcheckElement {
  std::int64_t element = 0;         ///< row-major
  std::vector<std::int64_t> index;  ///< one number per axis
  GradcheckSlope slope;
};

/// The slope along a random direction through the elements [begin, end) of a tensor.
struct GradcheckDirection {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  GradcheckSlope slope;
};

struct GradcheckTensor {
  std::string name;
  Type type;                 ///< in the graph that was given
  std::int64_t checked = 0;  ///< elements compared one by one
  std::int64_t kinks = 0;    ///< of these, where there is only a slope of either side
  bool seen = false;         ///< a slope that is fine, of elements or direction, is above tolerance
  /// The largest error as a multiple of its tolerance; failures before all others.
  std::optional<GradcheckElement> worst = {};
  /// Where not all elements were checked. When it is a kink, the others are not verified.
  std::optional<GradcheckDirection> direction = {};

  bool ok() const { return (!worst || worst->slope.ok()) && (!direction || direction->slope.ok()); }
};

struct GRADMILL_API GradcheckReport {
  std::string value = {};    ///< the name of what was differentiated
  std::string problem = {};  ///< why nothing was compared; empty when something was
  std::vector<GradcheckTensor> tensors = {};
  std::vector<std::string> left_out = {};  ///< "'w' f32 [2]: the value does not depend on it"
  /// The names of the floating ones of these on which the value depends by other paths only.
  std::vector<std::string> blocked = {};
  std::uint64_t seed = 0;

  bool ok() const;
  /// One line: what was checked, and what that leaves open (`blocked`, directions that meet kinks,
  /// tensors without a slope to see) or, naming the worst element, what is wrong; and the seed.
  std::string message() const;
  /// A row per tensor, and a last line with seed and sampling. The direction has its error and its
  /// own tolerance. Results are `ok`, `unseen` for a tensor whose slopes are all below their
  /// tolerances, `all kinks` (both are no failures), and failures in capitals.
  std::string table() const;
};

}  // namespace gradmill
