#include <gradmill/ops/matmul/epilogue.h>

#include <string_view>

#include <gradmill/ops/elementwise/arithmetic.h>

namespace gradmill {

std::string to_string(const Epilogue& epilogue) {
  std::string text;
  const auto append = [&](std::string_view part) {
    text.append(text.empty() ? "" : "+").append(part);
  };
  if (epilogue.bias) append("bias");
  if (epilogue.activation) append(to_string(*epilogue.activation));
  if (epilogue.combine) append(to_string(*epilogue.combine));
  if (epilogue.update != nullptr) append(epilogue.update->name());
  return text;
}

template <class T>
void apply_epilogue(const Epilogue& epilogue, const Gemm& gemm, const ResultTile<T>& result,
                    const KernelRun& run) {
  if (epilogue.empty()) return;
  const GemmTile& tile = result.tile;
  const std::int64_t first = (result.result * gemm.m + tile.row) * gemm.n + tile.column;
  if (epilogue.update != nullptr) {
    epilogue.update->apply(run, updated_inputs(epilogue),
                           GradientRows<T>{.gradient = result.c,
                                           .gradient_stride = result.stride,
                                           .first = first,
                                           .stride = gemm.n,
                                           .rows = tile.rows,
                                           .columns = tile.columns});
    return;
  }
  const T* bias = epilogue.bias ? run.input<T>(2) + tile.column : nullptr;
  const T* operand = epilogue.combine ? run.input<T>(epilogue.bias ? 3 : 2) : nullptr;
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    T* c = result.c + row * result.stride;
    if (bias != nullptr) kAdd(c, 1, bias, 1, c, tile.columns);
    if (epilogue.activation) (*epilogue.activation)(c, c, tile.columns);
    if (operand != nullptr) {
      (*epilogue.combine)(c, 1, operand + first + row * gemm.n, 1, c, tile.columns);
    }
  }
}

template void apply_epilogue(const Epilogue&, const Gemm&, const ResultTile<float>&,
                             const KernelRun&);
template void apply_epilogue(const Epilogue&, const Gemm&, const ResultTile<double>&,
                             const KernelRun&);

}  // namespace gradmill
