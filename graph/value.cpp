#include <gradmill/graph/value.h>

#include <gradmill/graph/graph.h>
#include <gradmill/runtime/error.h>

namespace gradmill {

Graph& Value::graph() const {
  check(graph_ != nullptr, "a null value was used");
  return *graph_;
}

const Type& Value::type() const {
  const Nodes& nodes = graph().nodes();
  const bool node_exists = node_ >= 0 && node_ < static_cast<int>(nodes.size());
  if (!node_exists || output_ < 0 ||
      output_ >= static_cast<int>(nodes[static_cast<std::size_t>(node_)].outputs.size())) {
    fail("output ", output_, " of node ", node_, " is not a value of the graph, which has ",
         nodes.size(), " nodes");
  }
  return nodes[static_cast<std::size_t>(node_)].outputs[static_cast<std::size_t>(output_)];
}

const std::string& Value::name() const {
  type();  // refuses a value that is not there
  return graph().nodes()[static_cast<std::size_t>(node_)].name;
}

}  // namespace gradmill
