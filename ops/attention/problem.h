#pragma once

// Attention as plain data.

#include <cstdint>
#include <vector>

#include <gradmill/runtime/dtype.h>

namespace gradmill {

/// Where the matrix of a head lies in a tensor, in elements.
struct AttentionRows {
  std::int64_t first = 0;  ///< of the first head
  std::int64_t outer = 0;  ///< from one group of heads to the next
  std::int64_t head = 0;   ///< from one head to the next of its group
  std::int64_t row = 0;    ///< from one row to the next; rows are dense
};

struct AttentionProblem {
  DType dtype = DType::f32;
  std::int64_t groups = 1;
  std::int64_t heads = 1;  ///< of a group
  std::int64_t queries = 1;
  std::int64_t keys = 1;
  std::int64_t width = 1;        ///< of a query and a key
  std::int64_t value_width = 1;  ///< of a value and a result
  bool causal = false;
  double scale = 1;
  bool packed = false;  ///< query, key and value are one tensor, and so are their gradients
  AttentionRows query, key, value, result;
  std::vector<std::int64_t> mask;  ///< where each head's mask starts; empty for none
  std::int64_t mask_row = 0;
  std::int64_t mask_column = 0;

  std::int64_t all_heads() const { return groups * heads; }
  /// Query, key, value and mask, the first inputs of a node, or what has them all.
  int own_inputs() const { return packed ? 1 : mask.empty() ? 3 : 4; }
};

}  // namespace gradmill
