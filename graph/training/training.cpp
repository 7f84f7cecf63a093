#include <gradmill/graph/training/training.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <gradmill/graph/autodiff.h>
#include <gradmill/graph/parameters/store.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// The parameters that `value` is computed from.
std::vector<Value> parameters_of(Graph& graph, const Value& value) {
  std::vector<bool> reached(graph.nodes().size(), false);
  reached[at(value.node())] = true;
  for (int i = value.node(); i >= 0; --i) {
    if (!reached[at(i)]) continue;
    for (const Node::Edge& edge : graph.nodes()[at(i)].inputs) reached[at(edge.node)] = true;
  }
  std::vector<Value> found;
  for (int i = 0; i < static_cast<int>(reached.size()); ++i) {
    if (reached[at(i)] && graph.nodes()[at(i)].kind == NodeKind::parameter) {
      found.emplace_back(&graph, i, 0);
    }
  }
  return found;
}

void check_group(const ParameterGroup& group, const Optimizer& optimizer, const Graph& graph) {
  check(group.optimizer != nullptr, "session: a parameter group has no optimizer");
  const double rate = optimizer.learning_rate();
  check(group.optimizer->learning_rate() == rate, "session: a parameter group's learning rate is ",
        group.optimizer->learning_rate(), ", and the optimizer's is ", rate,
        ": all parameters share one");
  for (const Value& parameter : group.parameters) {
    check(graph.nodes()[at(parameter.node())].kind == NodeKind::parameter,
          "session: a parameter group lists '", parameter.name(), "', which is no parameter");
  }
}

// One per trained parameter: the optimizer that it follows.
std::vector<const Optimizer*> choose_optimizers(const TrainingOptions& options,
                                                const std::vector<Value>& trained,
                                                const Graph& graph) {
  std::unordered_map<int, const Optimizer*> grouped;
  for (const ParameterGroup& group : options.groups) {
    check_group(group, *options.optimizer, graph);
    for (const Value& parameter : group.parameters) {
      const bool fresh = grouped.emplace(parameter.node(), group.optimizer.get()).second;
      check(fresh, "session: parameter '", parameter.name(), "' is in two groups");
    }
  }
  std::vector<const Optimizer*> chosen;
  for (const Value& parameter : trained) {
    const auto found = grouped.find(parameter.node());
    chosen.push_back(found == grouped.end() ? options.optimizer.get() : found->second);
  }
  return chosen;
}

// The factor for the gradients and their norm, over those of all micro-batches.
std::vector<Value> add_scaling(Graph& graph, const GradientScaling& scaling,
                               std::vector<Value> gradient, const std::vector<Value>& sums) {
  gradient.insert(gradient.end(), sums.begin(), sums.end());
  const Graph::Scope scope(graph, Phase::update, "");
  return graph.add(scaling.factor(!sums.empty()), gradient, std::string(scaling.name()));
}

}  // namespace

Training::Training(Graph& graph, const Value& loss, const TrainingOptions& options,
                   std::shared_ptr<Parameters> parameters)
    : parameters_(std::move(parameters)) {
  const std::vector<Value> trained = parameters_of(graph, loss);
  check(!trained.empty(), "session: the loss '", loss.name(),
        "' depends on no parameter, so there is nothing to train");
  const std::vector<const Optimizer*> optimizers = choose_optimizers(options, trained, graph);
  const std::vector<Value> gradient = gradients(loss, std::span<const Value>(trained));
  const auto state = [&](const Value& parameter, std::string_view kind, const Type& type) {
    std::string name = cat(parameter.name(), '.', kind);
    parameters_->store().ensure_state(name, type);
    return graph.state(std::move(name), type);
  };
  const UpdateForm form{.accumulates = options.micro_batches > 1,
                        .scaled = options.scaling != nullptr};
  std::vector<Value> sums;
  if (form.accumulates) {
    for (const Value& parameter : trained) {
      sums.push_back(state(parameter, "grad_sum", parameter.type()));
    }
  }
  Value scale;
  if (form.scaled) {
    const std::vector<Value> found = add_scaling(graph, *options.scaling, gradient, sums);
    scale = found[0];
    norm_ = found[1];
  }
  // All parameters that follow an optimizer share its op.
  struct Update {
    std::shared_ptr<const Op> op;
    std::vector<std::string> state;
    UpdateInputs inputs;
  };
  std::unordered_map<const Optimizer*, Update> updates;
  std::vector<Value> arguments;
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const Optimizer& optimizer = *optimizers[i];
    Update& update = updates[&optimizer];
    if (update.op == nullptr) {
      update = {optimizer.update(form), optimizer.state(), optimizer.inputs(form)};
    }
    const UpdateInputs& which = update.inputs;
    arguments.assign(at(which.size), Value());
    arguments[at(which.parameter)] = trained[i];
    arguments[at(which.gradient)] = gradient[i];
    for (int k = 0; k < which.states; ++k) {
      arguments[at(which.state + k)] = state(trained[i], update.state[at(k)], trained[i].type());
    }
    if (which.count >= 0) {
      const Value count = state(trained[i], "step", {DType::i64, {}});
      arguments[at(which.count)] = count;
      update_counts_.push_back(
          static_cast<std::int64_t*>(parameters_->store().address(count.name())));
    }
    if (which.accumulator >= 0) arguments[at(which.accumulator)] = sums[i];
    if (which.scale >= 0) arguments[at(which.scale)] = scale;
    const Graph::Scope scope(graph, Phase::update, "");
    graph.add(update.op, arguments, cat(trained[i].name(), ".", optimizer.name()));
  }
}

void Training::count_step() {
  ++parameters_->store().step;
  for (std::int64_t* count : update_counts_) ++*count;
}

}  // namespace gradmill
