#pragma once

// Internal: what an optimizer does to a part of a parameter, for whoever has the gradient of it.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <gradmill/graph/op.h>
#include <gradmill/runtime/kernel.h>

namespace gradmill {

/// Rows of a gradient, and the elements of the parameter that they belong to.
template <class T>
struct GradientRows {
  const T* gradient = nullptr;
  std::int64_t gradient_stride = 0;  ///< from row to row, in elements
  std::int64_t first = 0;            ///< the parameter's element that the first belongs to
  std::int64_t stride = 0;           ///< from row to row in the parameter
  std::int64_t rows = 1;
  std::int64_t columns = 0;
};

/// Which of a node's inputs are the parameter, and the first of state and count.
struct UpdateInputs {
  int parameter = 0;
  int state = 0;
};

/// One optimizer's arithmetic, element by element.
class ElementUpdate {
 public:
  virtual ~ElementUpdate() = default;

  virtual std::string_view name() const = 0;
  /// How many tensors of the parameter's type it keeps beside it.
  virtual int states() const = 0;
  /// The inputs that it writes, in ascending order: 0 for the parameter, 1 for the first of its
  /// state, and so on. By default these.
  virtual std::vector<int> writes() const;
  virtual double flops_per_element() const = 0;
  virtual void apply(const KernelRun& run, UpdateInputs inputs,
                     const GradientRows<float>& rows) const = 0;
  virtual void apply(const KernelRun& run, UpdateInputs inputs,
                     const GradientRows<double>& rows) const = 0;
};

/// An op of inputs parameter, gradient, state and perhaps a count, that does no more than that.
class UpdateOp : public Op {
 public:
  virtual std::shared_ptr<const ElementUpdate> element_update() const = 0;
};

}  // namespace gradmill
