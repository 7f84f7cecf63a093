#include <gradmill/graph/planning/prepared_kernels.h>

#include <chrono>
#include <cstddef>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/threads/sequential_onednn.h>

namespace gradmill {

std::shared_ptr<const Kernel> PreparedKernels::get(int number, const Node& node,
                                                   std::span<const Type> inputs) {
  using Clock = std::chrono::steady_clock;
  const auto place = static_cast<std::size_t>(number);
  if (place >= kernels_.size()) kernels_.resize(place + 1);
  std::shared_ptr<const Kernel>& kernel = kernels_[place];
  if (kernel != nullptr) return kernel;
  const SequentialOneDnn sequential;  // a primitive keeps the thread count it is created with
  const auto start = Clock::now();
  try {
    kernel = node.op->prepare({inputs, node.outputs, tuning_});
  } catch (const Error& error) {
    throw Error(cat(node.op->name(), " '", node.name, "': ", error.what()));
  }
  check(kernel != nullptr, node.op->name(), " '", node.name, "': prepared no kernel");
  seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
  return kernel;
}

}  // namespace gradmill
