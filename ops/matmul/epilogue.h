#pragma once

// What follows a product, tile by tile, while the tile is in cache.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <gradmill/graph/optimizer.h>
#include <gradmill/ops/elementwise/function.h>
#include <gradmill/ops/matmul/problem.h>
#include <gradmill/ops/optimizer/element_update.h>
#include <gradmill/runtime/kernel.h>

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

/// "bias+relu", for logs and attributes; empty for none.
std::string to_string(const Epilogue& epilogue);

/// A tile of the matrix `result` of C, and where it was computed.
template <class T>
struct ResultTile {
  std::int64_t result;
  GemmTile tile;
  T* c;
  std::int64_t stride;  ///< from row to row, in elements

  /// Some of its rows, from `row` on.
  ResultTile rows(std::int64_t row, std::int64_t count) const {
    ResultTile part = *this;
    part.tile.row += row;
    part.tile.rows = count;
    part.c += row * stride;
    return part;
  }
};

template <class T>
void apply_epilogue(const Epilogue& epilogue, const Gemm& gemm, const ResultTile<T>& result,
                    const KernelRun& run);

}  // namespace gradmill
