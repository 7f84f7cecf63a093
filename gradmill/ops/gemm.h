#pragma once

// Internal: matrix products as kernels.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gradmill/ops/elementwise_kernel.h>
#include <gradmill/runtime/dtype.h>
#include <gradmill/runtime/kernel.h>

namespace gradmill {

/// What is done to each tile of a finished product while it is in cache, in this order.
struct Epilogue {
  bool bias = false;                ///< + input 2, [n], the same for every row
  std::optional<Unary> activation;  ///< f(.), element by element
  std::optional<Binary> combine;    ///< f(., last input, shaped as C), element by element

  bool empty() const { return !bias && !activation && !combine; }
};

/// One axis of a batch of products: how many matrices further its next place is in each operand, 0
/// where the operand lacks the axis and serves every place. C sums over the axes that it lacks.
struct BatchAxis {
  std::int64_t size = 1;
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int64_t c = 0;
  friend bool operator==(const BatchAxis&, const BatchAxis&) = default;
};

/// C [m, n] = op(A) [m, k] op(B) [k, n] for each place of C in the batch; a transposed operand is
/// stored the other way round. All dense, the batch in row-major order in front of the matrices.
struct Gemm {
  DType dtype = DType::f32;
  std::int64_t m = 1;
  std::int64_t n = 1;
  std::int64_t k = 1;
  bool transpose_a = false;
  bool transpose_b = false;
  std::vector<BatchAxis> batch = {};  ///< outermost first
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
