#pragma once

// The kernels of attention.

#include <memory>

#include <gradmill/ops/attention/problem.h>
#include <gradmill/runtime/kernel.h>

namespace gradmill {

/// Inputs: query, key, value, or what has all three, and the mask if there is one. Outputs: the
/// result and the statistics of each query, [all heads, 2, queries]: first all m_i, then all 1 /
/// l_i, or 0 and 0 where there is no key.
std::unique_ptr<Kernel> make_attention(AttentionProblem problem);

/// Inputs: the same, result, statistics, upstream. Outputs: the gradients of query, key and value,
/// or of what has all three.
std::unique_ptr<Kernel> make_attention_backward(AttentionProblem problem);

}  // namespace gradmill
