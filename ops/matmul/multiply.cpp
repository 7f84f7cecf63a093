#include <gradmill/ops/matmul/multiply.h>

#include <algorithm>

// Packing buffers of this many bytes lie on the stack, so that a step allocates nothing.
#define EIGEN_STACK_ALLOCATION_LIMIT (512 * 1024)
#define EIGEN_DONT_PARALLELIZE
#include <dnnl.h>
#include <Eigen/Core>

#include <gradmill/ops/matmul/pack.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

// So many rows are packed at a time: with their tile of C they fit into the second-level cache,
// which is smaller where there is no AVX-512.
std::int64_t packed_depth() { return multiply_copies() ? 1024 : 512; }

void sgemm(const Gemm& g, const GemmTile& tile, const float* a, std::int64_t lda, char transpose_b,
           const float* b, std::int64_t ldb, std::int64_t depth, bool add, float* c,
           std::int64_t ldc) {
  const dnnl_status_t status =
      dnnl_sgemm(g.transpose_a ? 'T' : 'N', transpose_b, tile.rows, tile.columns, depth, 1.0F, a,
                 lda, b, ldb, add ? 1.0F : 0.0F, c, ldc);
  // Arguments were checked when the graph was compiled; only memory can be short.
  if (status != dnnl_success) throw Failure("dnnl_sgemm: out of memory");
}

// Eigen packs panels of at most this depth, and copies columns of at most this many rows, so that
// they fit on the stack.
constexpr std::int64_t kEigenDepth = 256;
constexpr std::int64_t kEigenRows = 32768;

void multiply_rows(const Gemm& g, const GemmTile& tile, const double* a, const double* b, bool add,
                   double* c, std::int64_t c_stride) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using View = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;
  const std::int64_t lda = g.transpose_a ? g.m : g.k;
  const std::int64_t ldb = g.transpose_b ? g.k : g.n;
  Eigen::Map<Matrix, 0, Eigen::OuterStride<>> result(c, tile.rows, tile.columns,
                                                     Eigen::OuterStride<>(c_stride));
  if (!add) result.setZero();
  const std::int64_t end = tile.k + tile.depth;
  for (std::int64_t at = tile.k; at < end; at += kEigenDepth) {
    const std::int64_t depth = std::min(kEigenDepth, end - at);
    const double* a_tile = a + (g.transpose_a ? at * lda + tile.row : tile.row * lda + at);
    const double* b_tile = b + (g.transpose_b ? tile.column * ldb + at : at * ldb + tile.column);
    const View left(a_tile, g.transpose_a ? depth : tile.rows, g.transpose_a ? tile.rows : depth,
                    Eigen::OuterStride<>(lda));
    const View right(b_tile, g.transpose_b ? tile.columns : depth,
                     g.transpose_b ? depth : tile.columns, Eigen::OuterStride<>(ldb));
    if (g.transpose_a && g.transpose_b) {
      result.noalias() += left.transpose() * right.transpose();
    } else if (g.transpose_a) {
      result.noalias() += left.transpose() * right;
    } else if (g.transpose_b) {
      result.noalias() += left * right.transpose();
    } else {
      result.noalias() += left * right;
    }
  }
}

}  // namespace

bool multiply_copies() {
  // A set of bits, in which AVX2 with VNNI is a greater number than AVX-512.
  constexpr unsigned kWide = dnnl_cpu_isa_avx512_core;
  static const bool wide = (dnnl_get_effective_cpu_isa() & kWide) == kWide;
  return wide;
}

// Rows start at a cache line, and never at multiples of a page.
std::int64_t packed_stride(std::int64_t columns) { return (columns + 15) / 16 * 16 + 16; }

std::int64_t packed_elements(std::int64_t columns, std::int64_t depth) {
  return packed_stride(columns) * std::min(depth, packed_depth());
}

void multiply(const Gemm& g, const GemmTile& tile, const float* a, const float* b, bool add,
              float* c, std::int64_t c_stride, const PackedOperands<float>& packed) {
  const std::int64_t lda = g.transpose_a ? g.m : g.k;
  const std::int64_t ldb = g.transpose_b ? g.k : g.n;
  const float* a_tile = a + (g.transpose_a ? tile.k * lda + tile.row : tile.row * lda + tile.k);
  const float* b_tile =
      b + (g.transpose_b ? tile.column * ldb + tile.k : tile.k * ldb + tile.column);
  const char transpose_b = g.transpose_b ? 'T' : 'N';
  if (packed.a == nullptr && packed.b == nullptr) {
    return sgemm(g, tile, a_tile, lda, transpose_b, b_tile, ldb, tile.depth, add, c, c_stride);
  }
  const std::int64_t a_k = g.transpose_a ? lda : 1;
  const std::int64_t b_k = g.transpose_b ? 1 : ldb;
  const std::int64_t b_column = g.transpose_b ? ldb : 1;
  const std::int64_t a_width = packed_stride(tile.rows);
  const std::int64_t b_width = packed_stride(tile.columns);
  for (std::int64_t at = 0; at < tile.depth; at += packed_depth()) {
    const std::int64_t depth = std::min(packed_depth(), tile.depth - at);
    const float* a_part = a_tile + at * a_k;
    const float* b_part = b_tile + at * b_k;
    if (packed.a != nullptr) pack_rows(a_part, 1, lda, tile.rows, depth, packed.a, a_width);
    if (packed.b != nullptr) {
      pack_rows(b_part, b_column, b_k, tile.columns, depth, packed.b, b_width);
    }
    sgemm(g, tile, packed.a != nullptr ? packed.a : a_part, packed.a != nullptr ? a_width : lda,
          packed.b != nullptr ? 'N' : transpose_b, packed.b != nullptr ? packed.b : b_part,
          packed.b != nullptr ? b_width : ldb, depth, add || at > 0, c, c_stride);
  }
}

void multiply(const Gemm& g, const GemmTile& tile, const double* a, const double* b, bool add,
              double* c, std::int64_t c_stride, const PackedOperands<double>& /*packed*/) {
  GemmTile part = tile;
  for (std::int64_t row = 0; row < tile.rows; row += kEigenRows) {
    part.row = tile.row + row;
    part.rows = std::min(kEigenRows, tile.rows - row);
    multiply_rows(g, part, a, b, add, c + row * c_stride, c_stride);
  }
}

}  // namespace gradmill
