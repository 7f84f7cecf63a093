#pragma once

#include <span>
#include <vector>

#include <gradmill/graph/value.h>

namespace gradmill {

/// Gradients of sum_i <upstream_i, outputs_i> with respect to each of `wrt`, as values of the same
/// graph, to fetch or to build on (they can be differentiated again).
///
/// `wrt` may name inputs, parameters, constants or intermediate values. Without `upstream`, ones
/// are used, which gives the gradient of the sum of all outputs' elements; a null entry stands for
/// ones, too. Each gradient has exactly its value's shape and dtype; where nothing flows back it is
/// zeros. A value used several times receives the sum, added in a fixed order. Only what the result
/// needs is added to the graph.
///
/// Throws Error when a value is null, of another graph or not floating, when an upstream's type is
/// not its output's, or when an op on the way has no gradient.
///
/// Reverse-mode accumulation: A. Griewank and A. Walther, Evaluating Derivatives, 2nd ed., ch. 3.
GRADMILL_API std::vector<Value> gradients(std::span<const Value> outputs,
                                          std::span<const Value> wrt,
                                          std::span<const Value> upstream = {});

inline std::vector<Value> gradients(std::initializer_list<Value> outputs,
                                    std::initializer_list<Value> wrt,
                                    std::initializer_list<Value> upstream = {}) {
  return gradients(std::span(outputs.begin(), outputs.size()), std::span(wrt.begin(), wrt.size()),
                   std::span(upstream.begin(), upstream.size()));
}

inline std::vector<Value> gradients(Value output, std::span<const Value> wrt) {
  return gradients(std::span(&output, 1), wrt);
}

inline std::vector<Value> gradients(Value output, std::initializer_list<Value> wrt) {
  return gradients(std::span(&output, 1), std::span(wrt.begin(), wrt.size()));
}

}  // namespace gradmill
