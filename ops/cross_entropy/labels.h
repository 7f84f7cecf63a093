#pragma once

// Labels out of range.

#include <cstdint>
#include <string>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/shape.h>
#include <gradmill/runtime/support/index.h>

namespace gradmill {

/// Throws Error naming place and label, which is element `line` of `labels`.
[[noreturn]] inline void refuse_label(std::int64_t label, std::int64_t line, const Shape& labels,
                                      std::int64_t classes) {
  const std::string place =
      labels.rank() == 1 ? cat("row ", line) : index_text(unravel_index(line, labels));
  fail("label ", label, " at ", place, " is out of range [0, ", classes, ")");
}

/// Throws that Error unless `label` is in [0, classes).
inline void check_label(std::int64_t label, std::int64_t line, const Shape& labels,
                        std::int64_t classes) {
  if (label < 0 || label >= classes) refuse_label(label, line, labels, classes);
}

/// How many of the n labels are not `ignored`, or -1 if one of those is not in [0, classes).
std::int64_t count_labels(const std::int64_t* labels, std::int64_t n, std::int64_t classes,
                          std::int64_t ignored);

}  // namespace gradmill
