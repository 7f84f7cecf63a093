#pragma once

#include <cstddef>
#include <memory>

#include <gradmill/runtime/kernel.h>

namespace gradmill {

/// A kernel that copies its input 0, `bytes` long, to its output 0.
std::unique_ptr<Kernel> make_copy(std::size_t bytes);

}  // namespace gradmill
