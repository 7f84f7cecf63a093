#pragma once

// Internal: what the ops that compare logits with labels have in common.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/index.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// Throws Error unless `logits` is f32 or f64 [B, C] and `labels` is i64 [B].
inline void check_logits_and_labels(const Type& logits, const Type& labels) {
  check(is_floating(logits.dtype) && logits.shape.rank() == 2,
        "logits must be f32 or f64 of shape [B, C], got ", logits);
  check(labels.dtype == DType::i64, "labels must be i64, got ", labels);
  check(labels.shape == Shape({logits.shape[0]}),
        "labels must be [B] for logits [B, C], got labels ", labels.shape, " for logits ",
        logits.shape);
}

/// Throws Error naming op, node, place and label; it is element `line` of `labels`.
[[noreturn]] inline void refuse_label(std::string_view op, std::string_view node,
                                      std::int64_t label, std::int64_t line, const Shape& labels,
                                      std::int64_t classes) {
  const std::string place =
      labels.rank() == 1 ? cat("row ", line) : index_text(unravel_index(line, labels));
  fail(op, " '", node, "': label ", label, " at ", place, " is out of range [0, ", classes, ")");
}

/// That, unless `label` is in [0, classes).
inline void check_label(std::string_view op, std::string_view node, std::int64_t label,
                        std::int64_t line, const Shape& labels, std::int64_t classes) {
  if (label < 0 || label >= classes) refuse_label(op, node, label, line, labels, classes);
}

/// Rows are shared out in tiles of about this many elements.
struct RowTiles {
  RowTiles(std::int64_t row_count, std::int64_t columns)
      : rows(row_count), grain(std::max<std::int64_t>(1, kElements / columns)) {}
  std::int64_t count() const { return (rows + grain - 1) / grain; }
  std::int64_t begin(std::int64_t tile) const { return tile * grain; }
  std::int64_t end(std::int64_t tile) const { return std::min(rows, (tile + 1) * grain); }

  static constexpr std::int64_t kElements = 16384;
  std::int64_t rows;
  std::int64_t grain;
};

}  // namespace gradmill
