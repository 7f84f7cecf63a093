#include <gradmill/graph/optimizer.h>

namespace gradmill {

Optimizer::~Optimizer() = default;

}  // namespace gradmill
