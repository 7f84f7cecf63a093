#include <gradmill/ops/gemm.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

// Packing buffers of this many bytes lie on the stack, so that a step allocates nothing.
#define EIGEN_STACK_ALLOCATION_LIMIT (512 * 1024)
#define EIGEN_DONT_PARALLELIZE
#include <dnnl.h>
#include <Eigen/Core>

#include <gradmill/ops/gemm_batch.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/held_signals.h>

namespace gradmill {
namespace {

// A tile of about this much arithmetic keeps its overhead small and still leaves many for many
// cores.
constexpr double kTileFlops = 10e6;
constexpr std::int64_t kLeastTile =
    128;  // narrower ones cost more in packing than they give in balance
constexpr std::int64_t kTileQuantum = 16;  // the width that oneDNN's kernels divide evenly
constexpr double kCallFlops = 25e3;        // what could be done in the time that a call takes

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t tile_size(std::int64_t size, std::int64_t parts) {
  const std::int64_t even = divide_up(size, parts);
  return std::min(size, divide_up(even, kTileQuantum) * kTileQuantum);
}

double flops_of_one(const Gemm& g) {
  return 2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
}

// The products that are added up in each matrix of C.
double terms(const Gemm& g) {
  double count = 1;
  for (const BatchAxis& axis : g.batch) {
    if (axis.c == 0) count *= static_cast<double>(axis.size);
  }
  return count;
}

BatchWalk walk(const Gemm& g, bool summed) {
  std::vector<BatchAxis> axes = g.batch;
  std::erase_if(axes, [&](const BatchAxis& axis) { return (axis.c == 0) != summed; });
  return BatchWalk(std::move(axes));
}

// A tile's place in the operands: leading dimensions are those of the whole.
struct Tile {
  std::int64_t row;
  std::int64_t column;
  std::int64_t rows;
  std::int64_t columns;
};

// C = A B on the tile, or C += A B where `add` is set.
void multiply(const Gemm& g, const Tile& tile, const float* a, const float* b, bool add, float* c) {
  const std::int64_t lda = g.transpose_a ? g.m : g.k;
  const std::int64_t ldb = g.transpose_b ? g.k : g.n;
  const float* a_tile = a + (g.transpose_a ? tile.row : tile.row * lda);
  const float* b_tile = b + (g.transpose_b ? tile.column * ldb : tile.column);
  const dnnl_status_t status = dnnl_sgemm(
      g.transpose_a ? 'T' : 'N', g.transpose_b ? 'T' : 'N', tile.rows, tile.columns, g.k, 1.0F,
      a_tile, lda, b_tile, ldb, add ? 1.0F : 0.0F, c + tile.row * g.n + tile.column, g.n);
  // Arguments were checked when the graph was compiled; only memory can be short.
  if (status != dnnl_success) throw Failure("dnnl_sgemm: out of memory");
}

// Eigen packs panels of at most this depth, and copies columns of at most this many rows, so that
// they fit on the stack.
constexpr std::int64_t kEigenDepth = 256;
constexpr std::int64_t kEigenRows = 32768;

void multiply_rows(const Gemm& g, const Tile& tile, const double* a, const double* b, bool add,
                   double* c) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using View = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;
  const std::int64_t lda = g.transpose_a ? g.m : g.k;
  const std::int64_t ldb = g.transpose_b ? g.k : g.n;
  Eigen::Map<Matrix, 0, Eigen::OuterStride<>> result(c + tile.row * g.n + tile.column, tile.rows,
                                                     tile.columns, Eigen::OuterStride<>(g.n));
  if (!add) result.setZero();
  for (std::int64_t at = 0; at < g.k; at += kEigenDepth) {
    const std::int64_t depth = std::min(kEigenDepth, g.k - at);
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

void multiply(const Gemm& g, const Tile& tile, const double* a, const double* b, bool add,
              double* c) {
  Tile part = tile;
  for (std::int64_t row = 0; row < tile.rows; row += kEigenRows) {
    part.row = tile.row + row;
    part.rows = std::min(kEigenRows, tile.rows - row);
    multiply_rows(g, part, a, b, add, c);
  }
}

// A tile is one tile of the grid in one matrix of C, or, where the matrices are small, several
// whole matrices.
template <class T>
class GemmKernel final : public Kernel {
 public:
  GemmKernel(const Gemm& gemm, const Epilogue& epilogue)
      : gemm_(gemm),
        epilogue_(epilogue),
        grid_(choose_grid(gemm)),
        tile_rows_(divide_up(gemm.m, grid_.tile_m)),
        tile_columns_(divide_up(gemm.n, grid_.tile_n)),
        results_(walk(gemm, false)),
        terms_(walk(gemm, true)) {
    const double batches = static_cast<double>(results_.size());
    const double work = batches * terms(gemm) * (flops_of_one(gemm) + kCallFlops);
    const auto groups = std::llround(std::clamp(work / kTileFlops, 1.0, batches));
    results_per_tile_ = divide_up(results_.size(), groups);
  }

  std::int64_t tiles(int) const override {
    return divide_up(results_.size(), results_per_tile_) * tile_rows_ * tile_columns_;
  }

  void run(int, std::int64_t index, const KernelRun& run) const override {
    const std::int64_t in_matrix = index % (tile_rows_ * tile_columns_);
    const std::int64_t group = index / (tile_rows_ * tile_columns_);
    Tile tile{};
    tile.row = in_matrix / tile_columns_ * grid_.tile_m;
    tile.column = in_matrix % tile_columns_ * grid_.tile_n;
    tile.rows = std::min(grid_.tile_m, gemm_.m - tile.row);
    tile.columns = std::min(grid_.tile_n, gemm_.n - tile.column);
    const std::int64_t end = std::min(results_.size(), (group + 1) * results_per_tile_);
    std::optional<HeldSignals> held;
    if constexpr (std::is_same_v<T, float>) held.emplace();
    for (std::int64_t result = group * results_per_tile_; result < end; ++result) {
      const BatchWalk::Place at = results_.at(result);
      for (std::int64_t term = 0; term < terms_.size(); ++term) {
        const BatchWalk::Place more = terms_.at(term);
        multiply(gemm_, tile, run.input<T>(0) + (at.a + more.a) * gemm_.m * gemm_.k,
                 run.input<T>(1) + (at.b + more.b) * gemm_.k * gemm_.n, term > 0,
                 run.output<T>(0) + result * gemm_.m * gemm_.n);
      }
      if (!epilogue_.empty()) finish(tile, result, run);
    }
  }

  std::string description() const override {
    std::string text = gemm_.dtype == DType::f32 ? "dnnl_sgemm, " : "eigen, ";
    if (results_.size() > 1) text += cat(results_.size(), " batches of ");
    text += cat(tile_rows_, "x", tile_columns_, " tiles of ", grid_.tile_m, "x", grid_.tile_n);
    if (results_per_tile_ > 1) text += cat(", ", results_per_tile_, " batches a tile");
    if (terms_.size() > 1) text += cat(", each the sum of ", terms_.size(), " products");
    if (!epilogue_.empty()) text += ", then " + to_string(epilogue_);
    return text;
  }

 private:
  void finish(const Tile& tile, std::int64_t result, const KernelRun& run) const {
    const T* bias = epilogue_.bias ? run.input<T>(2) + tile.column : nullptr;
    const T* operand = epilogue_.combine ? run.input<T>(epilogue_.bias ? 3 : 2) : nullptr;
    const std::int64_t first = result * gemm_.m + tile.row;
    for (std::int64_t row = first; row < first + tile.rows; ++row) {
      T* c = run.output<T>(0) + row * gemm_.n + tile.column;
      if (bias != nullptr) apply_binary(Binary::add, c, 1, bias, 1, c, tile.columns);
      if (epilogue_.activation) apply_unary(*epilogue_.activation, c, c, tile.columns);
      if (operand != nullptr) {
        apply_binary(*epilogue_.combine, c, 1, operand + row * gemm_.n + tile.column, 1, c,
                     tile.columns);
      }
    }
  }

  Gemm gemm_;
  Epilogue epilogue_;
  GemmGrid grid_;
  std::int64_t tile_rows_;
  std::int64_t tile_columns_;
  BatchWalk results_;  // one place a matrix of C, in C's order
  BatchWalk terms_;    // what is added up in each
  std::int64_t results_per_tile_;
};

}  // namespace

// Each tile packs its rows of A and columns of B: of the cuts with enough tiles, the one that packs
// least wins.
GemmGrid choose_grid(const Gemm& g) {
  const double flops = flops_of_one(g) * terms(g);
  const auto wanted = std::max<std::int64_t>(1, std::llround(std::min(flops / kTileFlops, 1e6)));
  const std::int64_t most_rows = std::max<std::int64_t>(1, g.m / kLeastTile);
  const std::int64_t most_columns = std::max<std::int64_t>(1, g.n / kLeastTile);
  GemmGrid best{g.m, g.n};
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t rows = 1; rows <= std::min(most_rows, wanted); ++rows) {
    const std::int64_t columns = std::clamp<std::int64_t>(divide_up(wanted, rows), 1, most_columns);
    const double packed = static_cast<double>(columns) * static_cast<double>(g.m) +
                          static_cast<double>(rows) * static_cast<double>(g.n);
    // Too few tiles cost parallelism, which weighs more than packing.
    const double shortfall = static_cast<double>(wanted) / static_cast<double>(rows * columns);
    const double cost = packed * std::max(1.0, shortfall * shortfall);
    if (cost < least) {
      least = cost;
      best = {tile_size(g.m, rows), tile_size(g.n, columns)};
    }
  }
  return best;
}

std::unique_ptr<Kernel> make_gemm(const Gemm& gemm, const Epilogue& epilogue) {
  const Gemm whole = folded(gemm);
  if (whole.dtype == DType::f32) return std::make_unique<GemmKernel<float>>(whole, epilogue);
  return std::make_unique<GemmKernel<double>>(whole, epilogue);
}

std::string to_string(const Epilogue& epilogue) {
  std::string text;
  const auto append = [&](std::string_view part) {
    text.append(text.empty() ? "" : "+").append(part);
  };
  if (epilogue.bias) append("bias");
  if (epilogue.activation) append(to_string(*epilogue.activation));
  if (epilogue.combine) append(to_string(*epilogue.combine));
  return text;
}

}  // namespace gradmill
