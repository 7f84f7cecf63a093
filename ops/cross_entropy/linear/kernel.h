#pragma once

// A linear layer and the cross-entropy of its logits as one kernel, which holds a block of rows of
// the logits at a time.

#include <memory>

#include <gradmill/ops/cross_entropy/linear/problem.h>
#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/tuning.h>

namespace gradmill {

std::unique_ptr<Kernel> make_linear_cross_entropy(const LinearCrossEntropyProblem& problem,
                                                  const Tuning* tuning);

}  // namespace gradmill
