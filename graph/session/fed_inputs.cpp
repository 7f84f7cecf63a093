#include <gradmill/graph/session/fed_inputs.h>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

FedInputs::FedInputs(const Graph& graph) : graph_(&graph) {
  input_of_.assign(graph.nodes().size(), -1);
  for (int i = 0; i < static_cast<int>(input_of_.size()); ++i) {
    const Node& node = graph.nodes()[at(i)];
    if (node.kind != NodeKind::input) continue;
    input_of_[at(i)] = static_cast<int>(inputs_.size());
    inputs_.push_back({i, node.name, node.outputs[0]});
  }
}

std::vector<Value> FedInputs::in(Graph& copy) const {
  std::vector<Value> values;
  values.reserve(inputs_.size());
  for (const Input& input : inputs_) values.emplace_back(&copy, input.node, 0);
  return values;
}

void FedInputs::set_buffers(const std::vector<int>& buffers) {
  for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i].buffer = buffers[i];
}

int FedInputs::feed(const Value& value, DType dtype, const void* data, std::int64_t count) {
  check(static_cast<bool>(value), "run: a feed names a null value");
  check(&value.graph() == graph_, "run: a feed names a value of another graph");
  const int node = value.node();
  if (node < 0 || at(node) >= input_of_.size() || input_of_[at(node)] < 0) {
    fail("run: the feed for '", value.name(), "' is for no input of this session's graph");
  }
  Input& input = inputs_[at(input_of_[at(node)])];
  check(dtype == input.type.dtype, "run: input '", input.name, "' is ", input.type, ", and is fed ",
        to_string(dtype));
  check(count < 0 || count == input.type.shape.elements(), "run: input '", input.name, "' is ",
        input.type, " of ", input.type.shape.elements(), " elements, and is fed ", count);
  check(data != nullptr, "run: input '", input.name, "' is fed a null pointer");
  check(input.fed_in != runs_, "run: input '", input.name, "' is fed twice");
  input.fed_in = runs_;
  return input.buffer;
}

void FedInputs::check_complete() const {
  for (const Input& input : inputs_) {
    check(input.buffer < 0 || input.fed_in == runs_, "run: input '", input.name, "' ", input.type,
          " was not fed");
  }
}

}  // namespace gradmill
