#include "commands/optimizer.h"

#include <gradmill/ops/optimizer.h>
#include <gradmill/runtime/error.h>

namespace gradmill {

std::shared_ptr<const Optimizer> make_optimizer(const OptimizerOptions& options) {
  if (options.name == "sgd") {
    SGD sgd{.lr = options.lr.value_or(0.1)};
    sgd.momentum = options.momentum.value_or(sgd.momentum);
    sgd.weight_decay = options.weight_decay.value_or(sgd.weight_decay);
    return sgd;
  }
  check(options.name == "adamw", "--optimizer ", options.name, ": sgd and adamw are known");
  check(!options.momentum, "--momentum: goes with --optimizer sgd only");
  AdamW adamw{.lr = options.lr.value_or(1e-3)};
  adamw.weight_decay = options.weight_decay.value_or(adamw.weight_decay);
  return adamw;
}

}  // namespace gradmill
