#include <gradmill/graph/op.h>

#include <gradmill/runtime/error.h>

namespace gradmill {

Op::~Op() = default;

std::vector<Value> Op::gradient(const GradientContext&) const { fail("the op has no gradient"); }

Cost Op::cost(std::span<const Type> inputs, std::span<const Type> outputs) const {
  Cost cost;
  for (const Type& type : inputs) cost.bytes += static_cast<double>(type.bytes());
  for (const Type& type : outputs) {
    cost.bytes += static_cast<double>(type.bytes());
    cost.flops += static_cast<double>(type.shape.elements());
  }
  return cost;
}

std::optional<Absorbed> Op::absorb(const Absorption&) const { return std::nullopt; }

}  // namespace gradmill
