#pragma once

// What an optimizer does to a part of a parameter, for whoever has the gradient of it.

#include <cstdint>
#include <memory>
#include <string_view>

#include <gradmill/graph/op.h>
#include <gradmill/graph/optimizer.h>
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

/// One optimizer's arithmetic, element by element.
class ElementUpdate {
 public:
  virtual ~ElementUpdate() = default;

  virtual std::string_view name() const = 0;
  /// What it reads and writes, as the inputs of its own node.
  virtual const UpdateInputs& inputs() const = 0;
  virtual double flops_per_element() const = 0;
  /// `inputs` are those of the node that runs.
  virtual void apply(const KernelRun& run, const UpdateInputs& inputs,
                     const GradientRows<float>& rows) const = 0;
  virtual void apply(const KernelRun& run, const UpdateInputs& inputs,
                     const GradientRows<double>& rows) const = 0;
};

/// An op that does no more than an element update, whose inputs are its own.
class UpdateOp : public Op {
 public:
  virtual std::shared_ptr<const ElementUpdate> element_update() const = 0;
};

}  // namespace gradmill
