#include <gradmill/graph/optimizer.h>

namespace gradmill {

Optimizer::~Optimizer() = default;
GradientScaling::~GradientScaling() = default;

}  // namespace gradmill
