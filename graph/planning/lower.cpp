#include <gradmill/graph/planning/lower.h>

#include <algorithm>

#include <gradmill/graph/kernels/copy.h>
#include <gradmill/graph/kernels/finite_check.h>
#include <gradmill/graph/parameters/store.h>
#include <gradmill/graph/planning/schedule.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/support/alignment.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

std::string describe(std::span<const Type> inputs, std::span<const Type> outputs) {
  std::string text;
  text.reserve(20 * (inputs.size() + outputs.size()));  // enough for most
  const auto list = [&](std::span<const Type> types) {
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (i > 0) text += ", ";
      text += to_string(types[i]);
    }
  };
  list(inputs);
  if (!outputs.empty()) text += " -> ";
  list(outputs);
  return text;
}

class Lowerer {
 public:
  Lowerer(const Graph& graph, const Parameters& parameters, PreparedKernels& kernels,
          bool check_finite, std::span<const int> origins)
      : nodes_(graph.nodes()),
        parameters_(parameters),
        kernels_(kernels),
        check_finite_(check_finite),
        origins_(origins),
        buffers_(nodes_.size()),
        is_root_(nodes_.size(), false),
        copies_(nodes_.size(), -1) {}

  Lowered run(const Ends& ends) {
    for (const Value& root : ends.roots) is_root_[at(root.node())] = true;
    plan_.steps.reserve(nodes_.size());
    plan_.buffers.reserve(nodes_.size());
    for (const int index : execution_order(nodes_, check_finite_)) {
      const Node& node = nodes_[at(index)];
      if (node.kind == NodeKind::op) {
        add_op(index, node);
      } else {
        add_source(index, node);
      }
    }
    plan_.prepare_seconds = kernels_.seconds();
    std::vector<int> roots;
    for (const Value& root : ends.roots) {
      const int copy = copies_[at(root.node())];
      roots.push_back(copy >= 0 ? copy : buffers_[at(root.node())][at(root.output())]);
      plan_.buffers[at(roots.back())].keep = true;
    }
    for (const PlanBuffer& buffer : plan_.buffers) {
      if (buffer.place == Place::arena) plan_.unshared_bytes += align_up(buffer.bytes);
    }
    std::vector<int> inputs = find_inputs(ends.inputs);
    return {{std::move(plan_), std::move(roots), std::move(inputs)}, std::move(in_place_)};
  }

 private:
  int add_buffer(PlanBuffer buffer) {
    plan_.buffers.push_back(std::move(buffer));
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  void add_source(int index, const Node& node) {
    PlanBuffer buffer;
    buffer.name = node.name;
    buffer.type = node.outputs[0];
    buffer.bytes = buffer.type.bytes();
    if (node.kind == NodeKind::input) {
      buffer.place = Place::feed;
    } else if (node.kind == NodeKind::constant) {
      buffer.place = Place::constant;
      buffer.address = const_cast<std::byte*>(node.constant->data());  // never written
    } else {
      buffer.place = Place::variable;
      buffer.address = parameters_.store().address(node.name);
      check(buffer.address != nullptr, "parameter '", node.name, "' has no memory");
    }
    const int id = add_buffer(std::move(buffer));
    buffers_[at(index)] = {id};
    if (node.kind == NodeKind::input) keep_copy(index, node, id);
    if (check_finite_ && node.kind == NodeKind::input && is_floating(node.outputs[0].dtype)) {
      add_finite_check("the input", node, id);
    }
  }

  void add_op(int index, const Node& node) {
    ShortList<Type, 8> inputs;
    decltype(PlanStep::inputs) input_buffers;
    for (const Node::Edge& edge : node.inputs) {
      inputs.push_back(nodes_[at(edge.node)].outputs[at(edge.output)]);
      input_buffers.push_back(buffers_[at(edge.node)][at(edge.output)]);
    }
    if (node.op->aliases() >= 0) {
      buffers_[at(index)] = {input_buffers[at(node.op->aliases())]};
      keep_copy(index, node, buffers_[at(index)][0]);
      return;
    }
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
      PlanBuffer buffer;
      buffer.name = node.outputs.size() == 1 ? node.name : cat(node.name, '#', k);
      buffer.type = node.outputs[k];
      buffer.bytes = buffer.type.bytes();
      buffers_[at(index)].push_back(add_buffer(std::move(buffer)));
    }
    add_steps(index, node, inputs, input_buffers);
    if (!check_finite_ || node.updates) return;
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
      if (!is_floating(node.outputs[k].dtype)) continue;
      add_finite_check(cat("the result of ", node.op->name()), node, buffers_[at(index)][k]);
    }
  }

  void add_steps(int index, const Node& node, std::span<const Type> inputs,
                 const decltype(PlanStep::inputs)& input_buffers) {
    const int origin = origins_.empty() ? index : origins_[at(index)];
    const std::shared_ptr<const Kernel> kernel = kernels_.get(origin, node, inputs);
    PlanStep step;
    step.name = node.name;
    step.op = node.op->name();
    step.phase = node.phase;
    step.kernel = kernel;
    step.inputs = input_buffers;
    for (const int buffer : buffers_[at(index)]) step.outputs.push_back(buffer);
    step.writes = step.outputs;
    for (const int i : node.op->mutates()) step.writes.push_back(input_buffers[at(i)]);
    if (kernel->workspace_bytes() > 0) {
      PlanBuffer workspace;
      workspace.name = cat(node.name, "#workspace");
      workspace.bytes = kernel->workspace_bytes();
      workspace.type = {DType::i64, Shape({static_cast<std::int64_t>((workspace.bytes + 7) / 8)})};
      step.workspace = add_buffer(std::move(workspace));
      step.writes.push_back(step.workspace);
    }
    step.fallible = node.op->fallible();
    step.shapes = describe(inputs, node.outputs);
    plan_.scratch_bytes = std::max(plan_.scratch_bytes, kernel->scratch_bytes());
    const Cost cost = node.op->cost(inputs, node.outputs);
    const int first = static_cast<int>(plan_.steps.size());
    // One phase does the work; the others prepare it, or combine its partial results.
    int main_phase = 0;
    for (int phase = 1; phase < kernel->phases(); ++phase) {
      if (kernel->tiles(phase) > kernel->tiles(main_phase)) main_phase = phase;
    }
    for (int phase = 0; phase < kernel->phases(); ++phase) {
      step.kernel_phase = phase;
      step.tiles = kernel->tiles(phase);
      const bool main = phase == main_phase;
      step.flops = main ? cost.flops : 0;
      step.bytes_moved = main ? cost.bytes : static_cast<double>(kernel->workspace_bytes());
      plan_.steps.push_back(phase + 1 < kernel->phases() ? step : std::move(step));
    }
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        // The same bytes may come in twice, and be read in another order the second time.
        bool allowed = true;
        for (std::size_t j = 0; j < inputs.size(); ++j) {
          if (input_buffers[j] != input_buffers[i]) continue;
          allowed = allowed && node.op->in_place(static_cast<int>(j), static_cast<int>(k), inputs);
        }
        if (!allowed) continue;
        in_place_.push_back({first, kernel->phases(), input_buffers[i], buffers_[at(index)][k]});
      }
    }
  }

  // A result must be good until the next run, whatever becomes of the caller's memory or of a
  // parameter that its bytes are.
  void keep_copy(int index, const Node& node, int source) {
    const Place place = plan_.buffers[at(source)].place;
    if (!is_root_[at(index)] || (place != Place::feed && place != Place::variable)) return;
    PlanBuffer buffer;
    buffer.name = cat(node.name, "#copy");
    buffer.type = node.outputs[0];
    buffer.bytes = buffer.type.bytes();
    PlanStep step;
    step.name = node.name;
    step.op = "copy";
    step.phase = node.phase;
    step.kernel = make_copy(buffer.bytes);
    step.tiles = step.kernel->tiles(0);
    step.inputs = {source};
    step.bytes_moved = 2.0 * static_cast<double>(buffer.bytes);
    step.shapes = to_string(buffer.type);
    copies_[at(index)] = add_buffer(std::move(buffer));
    step.outputs = {copies_[at(index)]};
    step.writes = step.outputs;
    plan_.steps.push_back(std::move(step));
  }

  void add_finite_check(const std::string& what, const Node& node, int buffer) {
    const Type& type = plan_.buffers[at(buffer)].type;
    PlanStep step;
    step.name = node.name;
    step.op = "check_finite";
    step.phase = node.phase;
    step.kernel = make_finite_check(type, what);
    step.tiles = step.kernel->tiles(0);
    step.inputs = {buffer};
    step.fallible = true;
    step.bytes_moved = static_cast<double>(type.bytes());
    step.shapes = to_string(type);
    plan_.steps.push_back(std::move(step));
  }

  std::vector<int> find_inputs(const std::vector<Value>& inputs) const {
    std::vector<bool> read(plan_.buffers.size(), false);
    for (const PlanStep& step : plan_.steps) {
      for (const int buffer : step.inputs) read[at(buffer)] = true;
    }
    std::vector<int> result;
    for (const Value& input : inputs) {
      const int buffer = input ? buffers_[at(input.node())][0] : -1;
      result.push_back(buffer >= 0 && read[at(buffer)] ? buffer : -1);
    }
    return result;
  }

  const Nodes& nodes_;
  const Parameters& parameters_;
  PreparedKernels& kernels_;
  bool check_finite_;
  std::span<const int> origins_;
  std::vector<ShortList<int, 2>> buffers_;  // one per node, one per output
  std::vector<bool> is_root_;               // one per node
  std::vector<int> copies_;                 // one per node: the buffer that keeps its result, or -1
  std::vector<InPlaceWish> in_place_;
  Plan plan_;
};

}  // namespace

Lowered lower(const Graph& graph, const Ends& ends, const Parameters& parameters,
              PreparedKernels& kernels, bool check_finite, std::span<const int> origins) {
  return Lowerer(graph, parameters, kernels, check_finite, origins).run(ends);
}

}  // namespace gradmill
