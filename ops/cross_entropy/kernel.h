#pragma once

// Cross-entropy as a kernel: forward, backward or both.

#include <memory>

#include <gradmill/ops/cross_entropy/problem.h>
#include <gradmill/runtime/kernel.h>

namespace gradmill {

std::unique_ptr<Kernel> make_cross_entropy(const CrossEntropyProblem& problem);

}  // namespace gradmill
