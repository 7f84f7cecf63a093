#include <gradmill/graph/value.h>

#include <gradmill/graph/graph.h>
#include <gradmill/runtime/error.h>

namespace gradmill {

Graph& Value::graph() const {
  check(graph_ != nullptr, "a null value was used");
  return *graph_;
}

const Type& Value::type() const {
  return graph().nodes()[static_cast<std::size_t>(node_)].outputs[static_cast<std::size_t>(output_)];
}

const std::string& Value::name() const {
  return graph().nodes()[static_cast<std::size_t>(node_)].name;
}

}  // namespace gradmill
