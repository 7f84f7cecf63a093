#include <gradmill/ops/broadcast.h>
#include <gradmill/ops/reduce/sum_and_broadcast.h>

namespace gradmill {

Value broadcast_to(Value x, Shape shape, std::string name) {
  return add_broadcast(x, std::move(shape), std::move(name));
}

}  // namespace gradmill
