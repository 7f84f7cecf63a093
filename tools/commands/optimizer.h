#pragma once

#include <memory>

#include <gradmill/graph/optimizer.h>

#include "commands/commands.h"

namespace gradmill {

/// Throws Error for an unknown name, a momentum for adamw, or a value that the optimizer refuses.
std::shared_ptr<const Optimizer> make_optimizer(const OptimizerOptions& options);

}  // namespace gradmill
