#include <gradmill/runtime/kernel.h>

#include <gradmill/runtime/error.h>

namespace gradmill {

Kernel::~Kernel() = default;

std::unique_ptr<Kernel> Kernel::with_choice(const std::vector<std::int64_t>&) const {
  fail("kernel '", description(), "' has no choices");
}

}  // namespace gradmill
