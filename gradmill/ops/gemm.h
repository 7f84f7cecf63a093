#pragma once

// Internal: matrix products as kernels.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <gradmill/ops/elementwise_kernel.h>
#include <gradmill/ops/gemm_problem.h>
#include <gradmill/runtime/kernel.h>

namespace gradmill {

/// What is done to each tile of a finished product while it is in cache, in this order.
struct Epilogue {
  bool bias = false;                ///< + input 2, [n], the same for every row
  std::optional<Unary> activation;  ///< f(.), element by element
  std::optional<Binary> combine;    ///< f(., last input, shaped as C), element by element

  bool empty() const { return !bias && !activation && !combine; }
};

/// How each matrix of C is cut into tiles: by the problem alone.
struct GemmGrid {
  std::int64_t tile_m = 1;
  std::int64_t tile_n = 1;
};
GemmGrid choose_grid(const Gemm& gemm);

/// Inputs: A, B, then the bias and the operand to combine with, if any. Output: C.
std::unique_ptr<Kernel> make_gemm(const Gemm& gemm, const Epilogue& epilogue);

/// "bias+relu", for logs and attributes; empty for none.
std::string to_string(const Epilogue& epilogue);

}  // namespace gradmill
