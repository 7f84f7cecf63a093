#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gradmill/graph/op.h>
#include <gradmill/runtime/short_list.h>

namespace gradmill {

/// What an update has beside a parameter, its gradient and its state.
struct UpdateForm {
  /// A tensor of the parameter's type in which the gradients of a step's micro-batches add up, each
  /// by its part; the last of them updates.
  bool accumulates = false;
  /// A scalar of the parameter's dtype by which the whole gradient is multiplied.
  bool scaled = false;

  friend bool operator==(const UpdateForm&, const UpdateForm&) = default;
};

/// Which input of an update is what; -1 for what it does not have. They stand in this order.
struct GRADMILL_API UpdateInputs {
  UpdateInputs() = default;
  UpdateInputs(int states, bool counts, const UpdateForm& form);

  int parameter = 0;
  int gradient = 1;
  int state = 2;  ///< the first of `states`, which stand side by side
  int states = 0;
  int count = -1;        ///< `Optimizer::counts_updates`
  int accumulator = -1;  ///< `UpdateForm::accumulates`
  int scale = -1;        ///< `UpdateForm::scaled`
  int size = 2;          ///< how many inputs there are

  /// Those that an update writes, in ascending order: parameter, state and accumulator.
  ShortList<int, 4> written() const;
  /// The same without the gradient, the parameter being input `first`: for an op that computes the
  /// gradient from inputs before that one.
  UpdateInputs without_gradient(int first) const;
};

/// How parameters follow their gradients. `ops/optimizer.h` has SGD and AdamW.
class GRADMILL_API Optimizer {
 public:
  virtual ~Optimizer();

  virtual std::string_view name() const = 0;
  /// The learning rate until `Session::set_learning_rate` says otherwise.
  virtual double learning_rate() const = 0;
  /// Names of the buffers kept for each parameter, of its type, zero at first: "exp_avg".
  virtual std::vector<std::string> state() const = 0;
  /// Whether the update also reads how often its parameter was updated before: an i64 scalar, one
  /// per parameter, that the session counts up after each step.
  virtual bool counts_updates() const { return false; }
  /// An op of the inputs `inputs(form)`, the state in the order above. It mutates those that are
  /// `written`, and has no outputs.
  virtual std::shared_ptr<const Op> update(const UpdateForm& form) const = 0;

  /// Where the update has its inputs.
  UpdateInputs inputs(const UpdateForm& form) const;
};

/// A factor for all gradients together. `ops/clip_grad_norm.h` has ClipGradNorm.
class GRADMILL_API GradientScaling {
 public:
  virtual ~GradientScaling();

  virtual std::string_view name() const = 0;
  /// An op of inputs all gradients and then, if `accumulates`, as many tensors in which those of
  /// the micro-batches before this one have added up. Outputs: the factor, and the norm that it
  /// follows from, scalars of the gradients' dtype. What it gives before the last micro-batch is
  /// not read.
  virtual std::shared_ptr<const Op> factor(bool accumulates) const = 0;
};

/// Parameters that follow their gradients in a way of their own.
struct ParameterGroup {
  std::vector<Value> parameters;
  std::shared_ptr<const Optimizer> optimizer;
};

}  // namespace gradmill
