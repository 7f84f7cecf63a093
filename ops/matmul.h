#pragma once

#include <string>

#include <gradmill/graph/value.h>

namespace gradmill {

struct MatmulOptions {
  bool transpose_a = false;  ///< `a` is stored [..., K, M]
  bool transpose_b = false;  ///< `b` is stored [..., N, K]
};

/// C = op(A) op(B), of op(A) [..., M, K] and op(B) [..., K, N]: shape [..., M, N], with
///   c_tij = sum_k a_tik b_tkj
/// at each place t of the batch, which is all axes but the last two. The batch axes of A and B
/// broadcast as in NumPy: aligned at the last, sizes are equal, or one of them is 1 or missing.
///
/// A rank-1 operand is a vector, as in `torch.matmul`, and its M or N is no axis of the result:
///   [K] [K] -> [],    [K] [..., K, N] -> [..., N],    [..., M, K] [K] -> [..., M].
///
/// Both operands are f32 or both f64. A transposed operand is read in place, and what broadcasts is
/// read again for every place, never repeated in memory. The sum over k has a fixed order, whatever
/// the number of threads, and is made in the operands' dtype: with one row and one column, or a
/// vector, it may be a running sum, whose error in f32 grows to K roundings (`sum(a * b)` adds up
/// by blocks).
///
/// The gradient, with D [..., M, N] the upstream of C and no transposes: a_tik is in c_tij for
/// every j, with the factor b_tkj, and b_tkj is in c_tij for every i, with the factor a_tik. So
///   da_tik = sum_j d_tij b_tkj:  dA = D B^T  [..., M, N] [..., N, K] -> [..., M, K],
///   db_tkj = sum_i a_tik d_tij:  dB = A^T D  [..., K, M] [..., M, N] -> [..., K, N],
/// transposed once more where the operand was stored so: (D B^T)^T = B D^T, (A^T D)^T = D^T A.
/// An operand that broadcasts is in c_tij for every t along the axes that it lacks, and its
/// gradient is the sum over them: they join j or i in the sum, within the product. A vector is a
/// matrix with one row or column.
///
/// Throws Error for rank 0, another dtype or two, a transposed vector, inner dimensions that differ
/// and batch axes that do not broadcast.
GRADMILL_API Value matmul(Value a, Value b, const MatmulOptions& options = {},
                          std::string name = {});

}  // namespace gradmill
