#pragma once

#include <gradmill/graph/value.h>

#include <cstdint>
#include <optional>
#include <string>

namespace gradmill {

struct EmbeddingOptions {
  /// A row of `weight` that gets no gradient, so that it stays what it was when it is made;
  /// negative numbers count from the end. It is looked up like any other.
  std::optional<std::int64_t> padding_idx;
};

/// Rows of a table: y[.., :] = weight[indices[..], :]. `indices` is i64 of any shape, scalars
/// included, `weight` f32 or f64 of shape [num, dim], and y has the shape of `indices` with `dim`
/// behind it. As `torch.nn.functional.embedding`.
///
/// The gradient of `weight` is dense, [num, dim]: row r is the sum of the upstream rows whose index
/// is r, added in the order of `indices`, and 0 where there is none and for `padding_idx`. It can
/// be differentiated further.
///
/// Throws Error for other types and ranks, naming both, and for a `padding_idx` that is not in
/// [-num, num). An index out of [0, num) is found when the node runs, before the step has changed
/// any parameter: `embedding 'tokens': index 7 at [1, 2] is out of range [0, 5)`. The gradient has
/// no rows for such an index, so that a graph in which nothing but the gradient is left of an
/// embedding does not see it.
GRADMILL_API Value embedding(Value indices, Value weight, const EmbeddingOptions& options = {},
                             std::string name = {});

}  // namespace gradmill
