#pragma once

// Internal: matrix products as kernels.

#include <memory>
#include <optional>
#include <string>

#include <gradmill/ops/elementwise/function.h>
#include <gradmill/ops/matmul/problem.h>
#include <gradmill/ops/optimizer/element_update.h>
#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/tuning.h>

namespace gradmill {

/// What is done to each tile of a finished product while it is in cache, in this order.
struct Epilogue {
  bool bias = false;                        ///< + input 2, [n], the same for every row
  std::optional<UnaryFunction> activation;  ///< f(.), element by element
  std::optional<BinaryFunction> combine;    ///< f(., last input, shaped as C), element by element
  /// C is the gradient of a parameter, which follows it: alone, and C is then not stored.
  std::shared_ptr<const ElementUpdate> update;

  bool empty() const { return !bias && !activation && !combine && update == nullptr; }
};

/// Where a product with an update has the update's inputs: after A and B.
inline UpdateInputs updated_inputs(const Epilogue& epilogue) {
  return epilogue.update->inputs().without_gradient(2);
}

/// Inputs: A, B, then the bias and the operand to combine with, if any. Output: C. With an update
/// they are A, B and what the update reads besides the gradient, and there is no output.
std::unique_ptr<Kernel> make_gemm(const Gemm& gemm, const Epilogue& epilogue,
                                  const Tuning* tuning = nullptr);

/// "bias+relu", for logs and attributes; empty for none.
std::string to_string(const Epilogue& epilogue);

}  // namespace gradmill
