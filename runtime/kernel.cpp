#include <gradmill/runtime/kernel.h>

namespace gradmill {

Kernel::~Kernel() = default;

}  // namespace gradmill
