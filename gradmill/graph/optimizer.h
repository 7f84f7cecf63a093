#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gradmill/graph/op.h>

namespace gradmill {

/// How parameters follow their gradients. `ops/optimizer.h` has SGD and AdamW.
class GRADMILL_API Optimizer {
 public:
  virtual ~Optimizer();

  virtual std::string_view name() const = 0;
  /// The learning rate until `Session::set_learning_rate` says otherwise.
  virtual double learning_rate() const = 0;
  /// Names of the buffers kept for each parameter, of its type, zero at first: "exp_avg".
  virtual std::vector<std::string> state() const = 0;
  /// Whether the update also reads how often its parameter was updated before: an i64 scalar, one a
  /// parameter, that the session counts up after each step.
  virtual bool counts_updates() const { return false; }
  /// An op of inputs parameter, gradient, the state in the order above, then the count if there is
  /// one; it mutates the parameter and the state and has no outputs.
  virtual std::shared_ptr<const Op> update() const = 0;
};

}  // namespace gradmill
