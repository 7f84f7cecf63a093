#pragma once

#include <span>

#include <gradmill/graph/value.h>

namespace gradmill {

/// The sum of values of one floating type, added from first to last: what a value that is used
/// several times receives as its gradient. Throws Error when there is none or their types differ.
Value accumulate(std::span<const Value> values);

}  // namespace gradmill
