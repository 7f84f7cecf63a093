#pragma once

#include <memory>
#include <string>

#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// A fallible kernel that reads its input 0, of a floating `type`, and throws Failure naming
/// `what`, which is "the input" or whatever else is read, and the first element of a tile that is a
/// NaN or an infinity.
std::unique_ptr<Kernel> make_finite_check(const Type& type, std::string what);

}  // namespace gradmill
