#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gradmill/graph/session.h>
#include <gradmill/graph/value.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

struct GradcheckOptions {
  /// Parameters and floating inputs whose gradients to check. None: all on which the value depends
  /// by a differentiable path (`Op::differentiable`); the report names what that leaves out.
  std::vector<Value> wrt = {};
  /// The values of the parameters to check at. Null: those that a Session would draw for `seed`.
  std::shared_ptr<Parameters> parameters = {};
  /// The step h for an element x is the power of two next to eps max(1, |x|), so that x + h is
  /// rounded little or not at all; for |x| far below h it is, by a part of h of at most 2^-53.
  /// Optimal is about the cube root of 2^-52, 6e-6; the smaller step of
  /// `torch.autograd.gradcheck`, 1e-6, meets fewer kinks.
  double eps = 1e-6;
  /// PyTorch has 1e-5 and 1e-3; the noise of f64 allows less. rtol is below 1.
  double atol = 1e-8;
  double rtol = 1e-6;
  /// With up to so many elements in all, every one is checked.
  std::int64_t max_elements = 4096;
  /// Beyond: so many elements of each tensor, drawn from `seed`, and one random direction a tensor.
  std::int64_t samples = 32;
  /// For the elements and directions that are checked, weights, parameters and inputs not fed.
  std::uint64_t seed = 0;
  int threads = 0;  ///< as in SessionOptions
};

enum class GradcheckVerdict : std::uint8_t {
  fine,
  kink,        ///< not differentiable here; the gradient lies between the slopes of the two sides
  wrong,       ///< the gradient is not the slope
  outside,     ///< not differentiable here, and the gradient is outside of the slopes of the sides
  not_smooth,  ///< no slope to compare with: the value jumps, or the slopes of the sides diverge
  not_finite,  ///< the element, its gradient, or the value beside it is a NaN or an infinity
};

/// One comparison: |analytic - numeric| with the tolerance for it.
struct GradcheckSlope {
  double analytic = 0;
  double numeric = 0;
  double error = 0;
  double tolerance = 0;
  GradcheckVerdict verdict = GradcheckVerdict::fine;

  bool ok() const { return verdict == GradcheckVerdict::fine || verdict == GradcheckVerdict::kink; }
};

struct GradcheckElement {
  std::int64_t element = 0;         ///< row-major
  std::vector<std::int64_t> index;  ///< one number an axis
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
  /// A row a tensor, and a last line with seed and sampling. The direction has its error and its
  /// own tolerance. Results are `ok`, `unseen` for a tensor whose slopes are all below their
  /// tolerances, `all kinks` (both are no failures), and failures in capitals.
  std::string table() const;
};

/// Compares the gradients that `gradients` builds for `value` with difference quotients, in f64.
///
/// What `value` depends on is copied with f64 in place of f32; the graph stays as it is. For a
/// value of several elements y_i, the gradient of sum_i u_i y_i is checked, with u_i drawn in
/// [0.5, 1.5) from the seed: a wrong entry of any row of the Jacobian shows. For a single element
/// the gradient is taken of 2 y and halved, so that an op which forgets its upstream shows as well.
/// Inputs are fed as in `Session::run`; floating ones that are not fed are drawn from N(0, 1). Two
/// runs at the same point must give the same bits.
///
/// The numeric slope is the central difference (f(x + h) - f(x - h)) / 2h: J. Nocedal and S. J.
/// Wright, Numerical Optimization, 2nd ed., ch. 8.1. An element is fine when
///
///     |analytic - numeric| <= atol + rtol |numeric| + 2^-51 |y| / h,
///
/// |y| being the Euclidean norm of the u_i y_i; the last term is the rounding of the value itself.
/// Where that fails, the step 16 h is compared with h first: a slope that is the same for both, and
/// that the gradient fits with neither of them nor on either side alone, is settled, and the
/// greater rounding of smaller steps excuses nothing. Otherwise steps down to 1e-10 max(1, |x|),
/// each a sixteenth of the one before, are tried until the numeric slope stays the same: a large
/// third derivative, or a kink within the step, is no fault of the gradient. When the slopes (f(x +
/// h) - f(x)) / h and (f(x) - f(x - h)) / h then tend to two different limits, the point itself is
/// a kink, and fine when the analytic slope is neither below both nor above both. Several kinks
/// that one element meets at once can put a right gradient outside of both; that fails too, with a
/// verdict of its own, and another point tells. NaN and infinity are never fine.
///
/// A direction moves all elements of a tensor at once, by h times random numbers of size 0.5 to 1.5
/// max(1, |x|), so it finds errors in elements that were not drawn. One that fails is cut in halves
/// for as long as one of them fails, down to an element, which then counts as checked. One that
/// ends as a kink verifies nothing of them.
///
/// Throws Error for options out of range, for a value or wrt that is null, of another graph or not
/// floating, for a wrt that is neither parameter nor input, when there is nothing to differentiate
/// with respect to, when an i64 input is not fed, when feeds or parameters do not fit, for an op
/// that refuses f64 or has no gradient, naming the node, and as `gradients` and `Session` do.
GRADMILL_API GradcheckReport gradcheck(const Graph& graph, Value value,
                                       std::span<const Feed> feeds = {},
                                       const GradcheckOptions& options = {});

inline GradcheckReport gradcheck(const Graph& graph, Value value, std::initializer_list<Feed> feeds,
                                 const GradcheckOptions& options = {}) {
  return gradcheck(graph, value, std::span<const Feed>(feeds.begin(), feeds.size()), options);
}

}  // namespace gradmill
