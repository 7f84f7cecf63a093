#pragma once

// Matrix products as kernels.

#include <memory>

#include <gradmill/ops/matmul/epilogue.h>
#include <gradmill/ops/matmul/problem.h>
#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/tuning.h>

namespace gradmill {

/// Inputs: A, B, then the bias and the operand to combine with, if any. Output: C. With an update
/// they are A, B and what the update reads besides the gradient, and there is no output.
std::unique_ptr<Kernel> make_gemm(const Gemm& gemm, const Epilogue& epilogue,
                                  const Tuning* tuning = nullptr);

}  // namespace gradmill
