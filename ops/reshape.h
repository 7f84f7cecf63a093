#pragma once

#include <gradmill/graph/value.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradmill {

/// The elements of `x` in the same row-major order under other sizes; one of them may be -1 and
/// follows from the rest. Any dtype. Moves no bytes.
/// Throws Error when the counts differ, for more than one -1 and for other sizes below 1.
GRADMILL_API Value reshape(Value x, std::vector<std::int64_t> sizes, std::string name = {});

/// `x` with two axes exchanged, in row-major order again: y[.., j, .., i, ..] = x[.., i, .., j,
/// ..]. Negative axes count from the end. Any dtype. A matrix product reads transposed operands in
/// place: give it `MatmulOptions` instead. Throws Error for an axis out of range.
GRADMILL_API Value transpose(Value x, int dim0, int dim1, std::string name = {});

}  // namespace gradmill
