#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/reduce/reduce_op.h>
#include <gradmill/ops/reshape.h>

namespace gradmill {
namespace {

// Whether each axis is reduced.
std::vector<bool> axis_mask(const std::vector<int>& axes, const Shape& shape) {
  std::vector<bool> mask(static_cast<std::size_t>(shape.rank()), axes.empty());
  for (const int axis : axes) {
    const auto k = static_cast<std::size_t>(normalize_axis(axis, shape));
    check(!mask[k], "axis ", axis, " of shape ", shape, " is named twice");
    mask[k] = true;
  }
  return mask;
}

std::vector<std::int64_t> reduced_sizes(const std::vector<int>& axes, const Shape& shape,
                                        bool keepdim) {
  const std::vector<bool> mask = axis_mask(axes, shape);
  std::vector<std::int64_t> sizes;
  for (int k = 0; k < shape.rank(); ++k) {
    if (!mask[static_cast<std::size_t>(k)]) {
      sizes.push_back(shape[k]);
    } else if (keepdim) {
      sizes.push_back(1);
    }
  }
  return sizes;
}

}  // namespace

std::optional<std::string> ReduceOp::attributes() const {
  std::string text = "axes=";
  for (const int axis : axes_) text += cat(axis, ',');
  return text + cat(" keepdim=", keepdim_);
}

std::vector<Type> ReduceOp::infer(std::span<const Type> inputs) const {
  check_floating(inputs[0]);
  return {{inputs[0].dtype, Shape(reduced_sizes(axes_, inputs[0].shape, keepdim_))}};
}

std::unique_ptr<Kernel> ReduceOp::prepare(const PrepareContext& context) const {
  const Type& type = context.inputs[0];
  return make_reduce_kernel(function_, type, axis_mask(axes_, type.shape));
}

Cost ReduceOp::cost(std::span<const Type> inputs, std::span<const Type> outputs) const {
  Cost cost = Op::cost(inputs, outputs);
  cost.flops = static_cast<double>(inputs[0].shape.elements());
  return cost;
}

Value ReduceOp::kept(Value result, const Shape& shape) const {
  const std::vector<std::int64_t> sizes = reduced_sizes(axes_, shape, true);
  return result.shape().sizes() == sizes ? result : reshape(result, sizes);
}

}  // namespace gradmill
