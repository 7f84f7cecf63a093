#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include <gradmill/graph/gradcheck_report.h>
#include <gradmill/graph/parameters.h>
#include <gradmill/graph/session.h>
#include <gradmill/graph/value.h>

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
  /// Beyond: so many elements of each tensor, drawn from `seed`, and one random direction per
  /// tensor.
  std::int64_t samples = 32;
  /// For the elements and directions that are checked, weights, parameters and inputs not fed.
  std::uint64_t seed = 0;
  int threads = 0;  ///< as in SessionOptions
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
