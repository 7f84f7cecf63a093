#pragma once

#include <string>

#include <gradmill/graph/value.h>

namespace gradmill {

struct MatmulOptions {
  bool transpose_a = false;  ///< `a` is stored [K, M]
  bool transpose_b = false;  ///< `b` is stored [N, K]
};

/// C = op(A) op(B), of op(A) [M, K] and op(B) [K, N]: c_ij = sum_k a_ik b_kj, shape [M, N].
///
/// Both operands are rank 2 and f32 or both f64. A transposed operand is read in place.
///
/// The gradient: with dC the upstream of C, dA_ik = sum_j dC_ij b_kj, so
///   dA = dC op(B)^T  [M, N] [N, K] -> [M, K],    dB = op(A)^T dC  [K, M] [M, N] -> [K, N],
/// transposed once more where the operand was.
///
/// Throws Error for another rank or dtype, and when the inner dimensions differ.
GRADMILL_API Value matmul(Value a, Value b, const MatmulOptions& options = {},
                          std::string name = {});

}  // namespace gradmill
