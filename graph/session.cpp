#include <gradmill/graph/session.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <gradmill/graph/autodiff.h>
#include <gradmill/graph/planning/compile.h>
#include <gradmill/graph/planning/memory_budget.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/log.h>
#include <gradmill/runtime/plan/step_cost.h>
#include <gradmill/runtime/threads/cpus.h>
#include <gradmill/runtime/trace/tracer.h>

namespace gradmill {
namespace {

constexpr int kMostThreads = 1024;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Which nodes `value` is computed from, itself included.
std::vector<bool> ancestors(const Graph& graph, const Value& value) {
  std::vector<bool> reached(graph.nodes().size(), false);
  reached[at(value.node())] = true;
  for (int i = value.node(); i >= 0; --i) {
    if (!reached[at(i)]) continue;
    for (const Node::Edge& edge : graph.nodes()[at(i)].inputs) reached[at(edge.node)] = true;
  }
  return reached;
}

void check_value(const char* what, const Value& value, const Graph& graph) {
  check(static_cast<bool>(value), "session: ", what, " is a null value");
  check(&value.graph() == &graph, "session: ", what, " is a value of another graph");
}

// One step at a time.
class Busy {
 public:
  Busy(std::atomic_flag& flag, const char* what) : flag_(flag) {
    check(!flag_.test_and_set(std::memory_order_acquire), "session: ", what,
          " was called while another run of the same session is going on");
  }
  ~Busy() { flag_.clear(std::memory_order_release); }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::atomic_flag& flag_;
};

}  // namespace

struct Session::Impl {
  Impl(const Graph& user_graph, SessionOptions session_options);

  void check_options() const;
  void check_group(const ParameterGroup& group) const;
  void log_compiled() const;
  void add_update();
  std::vector<const Optimizer*> choose_optimizers(const std::vector<Value>& trained) const;
  Value add_scale(std::vector<Value> gradient, const std::vector<Value>& sums);
  std::shared_ptr<Parameters> choose_parameters() const;
  void bind(std::span<const Feed> feeds);
  void train();
  Value own(const Value& value) { return {&graph, value.node(), value.output()}; }
  bool trains() const { return options.optimizer != nullptr; }

  const Graph* user;  // an identity to compare with; never followed after construction
  SessionOptions options;
  Graph graph;
  std::shared_ptr<Parameters> parameters;

  struct Root {
    Value value;  // of the user's graph
    Type type;
    bool gradient;
    int buffer = -1;
  };
  std::vector<Root> roots;
  std::vector<Value> values;  // of our graph: the roots, and the norm of the gradient
  int norm = -1;              // which of the values, or -1
  int norm_buffer = -1;
  Type norm_type;

  struct Input {
    std::string name;
    Type type;
    int buffer = -1;           // -1: no step reads it
    std::uint64_t fed_in = 0;  // the last run that fed it
  };
  std::vector<Input> inputs;
  std::vector<int> input_of;  // one a node of the user's graph: index into inputs, or -1
  std::vector<std::string> parameter_of;  // likewise: its name, or an empty one

  std::shared_ptr<const Plan> plan;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<Tracer> tracer;
  std::vector<std::int64_t*> update_counts;  // of the parameters trained here
  StepInfo info;
  bool has_norm = false;
  double learning_rate = 0;
  int threads = 1;
  bool serial = false;
  bool has_results = false;
  std::uint64_t runs = 0;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

Session::Impl::Impl(const Graph& user_graph, SessionOptions session_options)
    : user(&user_graph), options(std::move(session_options)) {
  check_options();
  info.seed = options.seed;
  info.micro_batches = static_cast<std::uint32_t>(options.micro_batches);
  info.training = options.training.value_or(trains() || !options.gradients.empty());
  threads = options.threads == 0 ? allowed_cpus() : options.threads;
  graph.reset(user_graph.nodes());
  for (const Node& node : graph.nodes()) {
    input_of.push_back(node.kind == NodeKind::input ? static_cast<int>(inputs.size()) : -1);
    if (node.kind == NodeKind::input) inputs.push_back({node.name, node.outputs[0]});
    parameter_of.push_back(node.kind == NodeKind::parameter ? node.name : std::string());
  }
  parameters = choose_parameters();

  const auto add_root = [&](const Value& value, const Value& result, bool gradient) {
    roots.push_back({value, value.type(), gradient});
    values.push_back(result);
  };
  if (options.loss) add_root(options.loss, own(options.loss), false);
  for (const Value& value : options.fetches) add_root(value, own(value), false);
  if (!options.gradients.empty()) {
    std::vector<Value> wrt;
    for (const Value& value : options.gradients) wrt.push_back(own(value));
    const std::vector<Value> results = gradients(own(options.loss), std::span<const Value>(wrt));
    for (std::size_t i = 0; i < wrt.size(); ++i) add_root(options.gradients[i], results[i], true);
  }
  if (trains()) add_update();
  // A gradient that is to be checked must be stored.
  if (options.check_finite) options.rewrites.fuse_updates = false;
  rewrite(graph, values, options.rewrites);

  const CompileOptions how{.check_finite = options.check_finite, .tuning = options.tuning.get()};
  Compiled compiled = options.memory_budget == 0 ? compile(graph, values, *parameters, how)
                                                 : compile_within(graph, values, *parameters, how,
                                                                  options.memory_budget, threads);
  for (std::size_t i = 0; i < roots.size(); ++i) roots[i].buffer = compiled.roots[i];
  if (norm >= 0) norm_buffer = compiled.roots[at(norm)];
  std::unordered_map<std::string_view, Input*> by_name;
  for (Input& input : inputs) by_name.emplace(input.name, &input);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (compiled.feeds[i] >= 0) by_name.at(graph.nodes()[i].name)->buffer = compiled.feeds[i];
  }
  plan = std::make_shared<const Plan>(std::move(compiled.plan));
  serial = options.execution == Execution::serial ||
           (options.execution == Execution::automatic && prefers_serial(*plan, threads));
  executor =
      std::make_unique<Executor>(plan, ExecutorOptions{.threads = threads, .serial = serial});
  log_compiled();
  tracer = std::make_unique<Tracer>(plan, *executor,
                                    options.trace ? options.trace : TraceFile::of_environment());
}

void Session::Impl::log_compiled() const {
  if (!log_enabled(LogLevel::info)) return;
  double flops = 0;
  for (const PlanStep& step : plan->steps) flops += step.flops;
  log(LogLevel::info,
      cat("compiled: ", graph.nodes().size(), " nodes, ", plan->steps.size(), " steps, ",
          executor->tasks(), executor->tasks() == 1 ? " task" : " tasks",
          serial ? " run serially, " : cat(" for ", threads, " threads, "), plan->arena_bytes,
          " bytes planned (", plan->unshared_bytes, " without reuse), ", flops, " FLOPs a step"));
}

void Session::Impl::check_options() const {
  check(options.threads >= 0 && options.threads <= kMostThreads, "session: threads must be in [0, ",
        kMostThreads, "], got ", options.threads);
  for (const Value& value : options.fetches) check_value("a fetch", value, *user);
  for (const Value& value : options.gradients) {
    check_value("a gradient", value, *user);
    check(static_cast<bool>(options.loss), "session: gradients are those of a loss; none is given");
  }
  if (options.loss) {
    check_value("the loss", options.loss, *user);
    check(options.loss.shape().rank() == 0, "session: the loss '", options.loss.name(),
          "' must be a scalar, and is ", options.loss.type());
    check(is_floating(options.loss.dtype()), "session: the loss '", options.loss.name(),
          "' must be f32 or f64, and is ", options.loss.type());
  }
  check(options.optimizer == nullptr || options.loss, "session: an optimizer needs a loss");
  check(options.micro_batches >= 1, "session: micro_batches must be at least 1, got ",
        options.micro_batches);
  const auto needs_optimizer = [&](bool given, const char* what) {
    check(!given || trains(), "session: ", what, " are for a session with an optimizer");
  };
  needs_optimizer(options.micro_batches > 1, "micro_batches");
  needs_optimizer(options.gradient_scaling != nullptr, "gradient_scaling and clipping");
  needs_optimizer(!options.parameter_groups.empty(), "parameter_groups");
  for (const ParameterGroup& group : options.parameter_groups) check_group(group);
}

void Session::Impl::check_group(const ParameterGroup& group) const {
  check(group.optimizer != nullptr, "session: a parameter group has no optimizer");
  const double rate = options.optimizer->learning_rate();
  check(group.optimizer->learning_rate() == rate, "session: a parameter group's learning rate is ",
        group.optimizer->learning_rate(), ", and the optimizer's is ", rate,
        ": all parameters share one");
  for (const Value& parameter : group.parameters) {
    check_value("a parameter of a group", parameter, *user);
    check(user->nodes()[at(parameter.node())].kind == NodeKind::parameter,
          "session: a parameter group lists '", parameter.name(), "', which is no parameter");
  }
}

std::shared_ptr<Parameters> Session::Impl::choose_parameters() const {
  if (options.parameters == nullptr) return std::make_shared<Parameters>(graph, options.seed);
  std::string problems;
  for (const Node& node : graph.nodes()) {
    if (node.kind != NodeKind::parameter) continue;
    if (!options.parameters->contains(node.name)) {
      problems += cat("; '", node.name, "' is missing");
    } else if (const Type& type = options.parameters->view(node.name).type;
               type != node.outputs[0]) {
      problems += cat("; '", node.name, "' is ", type, ", and the graph has ", node.outputs[0]);
    }
  }
  check(problems.empty(), "session: the shared parameters do not fit the graph", problems);
  return options.parameters;
}

// One a trained parameter: what it follows.
std::vector<const Optimizer*> Session::Impl::choose_optimizers(
    const std::vector<Value>& trained) const {
  std::unordered_map<int, const Optimizer*> grouped;
  for (const ParameterGroup& group : options.parameter_groups) {
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

void Session::Impl::add_update() {
  learning_rate = options.optimizer->learning_rate();
  const Value loss = own(options.loss);
  const std::vector<bool> used = ancestors(graph, loss);
  std::vector<Value> trained;
  for (int i = 0; i < static_cast<int>(used.size()); ++i) {
    if (used[at(i)] && graph.nodes()[at(i)].kind == NodeKind::parameter) {
      trained.emplace_back(&graph, i, 0);
    }
  }
  check(!trained.empty(), "session: the loss '", options.loss.name(),
        "' depends on no parameter, so there is nothing to train");
  const std::vector<const Optimizer*> optimizers = choose_optimizers(trained);
  const std::vector<Value> gradient = gradients(loss, std::span<const Value>(trained));
  const auto state = [&](const Value& parameter, std::string_view kind, const Type& type) {
    std::string name = cat(parameter.name(), '.', kind);
    parameters->ensure_state(name, type);
    return graph.state(std::move(name), type);
  };
  const UpdateForm form{.accumulates = options.micro_batches > 1,
                        .scaled = options.gradient_scaling != nullptr};
  std::vector<Value> sums;
  if (form.accumulates) {
    for (const Value& parameter : trained) {
      sums.push_back(state(parameter, "grad_sum", parameter.type()));
    }
  }
  const Value scale = form.scaled ? add_scale(gradient, sums) : Value();
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
      update_counts.push_back(static_cast<std::int64_t*>(parameters->address(count.name())));
    }
    if (which.accumulator >= 0) arguments[at(which.accumulator)] = sums[i];
    if (which.scale >= 0) arguments[at(which.scale)] = scale;
    const Graph::Scope scope(graph, Phase::update, "");
    graph.add(update.op, arguments, cat(trained[i].name(), ".", optimizer.name()));
  }
}

Value Session::Impl::add_scale(std::vector<Value> gradient, const std::vector<Value>& sums) {
  gradient.insert(gradient.end(), sums.begin(), sums.end());
  const GradientScaling& scaling = *options.gradient_scaling;
  const Graph::Scope scope(graph, Phase::update, "");
  const std::vector<Value> found =
      graph.add(scaling.factor(!sums.empty()), gradient, std::string(scaling.name()));
  norm = static_cast<int>(values.size());
  norm_type = found[1].type();
  values.push_back(found[1]);
  return found[0];
}

void Session::Impl::bind(std::span<const Feed> feeds) {
  ++runs;
  for (const Feed& feed : feeds) {
    const Value value = feed.input();
    check(static_cast<bool>(value), "run: a feed names a null value");
    check(&value.graph() == user, "run: a feed names a value of another graph");
    const int node = value.node();
    if (node < 0 || at(node) >= input_of.size() || input_of[at(node)] < 0) {
      fail("run: the feed for '", value.name(), "' is for no input of this session's graph");
    }
    Input& input = inputs[at(input_of[at(node)])];
    check(feed.dtype() == input.type.dtype, "run: input '", input.name, "' is ", input.type,
          ", and is fed ", to_string(feed.dtype()));
    check(feed.count() < 0 || feed.count() == input.type.shape.elements(), "run: input '",
          input.name, "' is ", input.type, " of ", input.type.shape.elements(),
          " elements, and is fed ", feed.count());
    check(feed.data() != nullptr, "run: input '", input.name, "' is fed a null pointer");
    check(input.fed_in != runs, "run: input '", input.name, "' is fed twice");
    input.fed_in = runs;
    if (input.buffer >= 0) executor->bind(input.buffer, feed.data());
  }
  for (const Input& input : inputs) {
    check(input.buffer < 0 || input.fed_in == runs, "run: input '", input.name, "' ", input.type,
          " was not fed");
  }
}

Session::Session(const Graph& graph, SessionOptions options)
    : impl_(std::make_unique<Impl>(graph, std::move(options))) {}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::run(std::span<const Feed> feeds) {
  Impl& impl = *impl_;
  const Busy busy(impl.busy, "run");
  impl.bind(feeds);
  impl.has_results = false;
  if (impl.trains()) {
    const std::unique_lock lock(impl.parameters->mutex());
    impl.train();
  } else {
    const std::shared_lock lock(impl.parameters->mutex());
    impl.info.step = impl.parameters->step();
    impl.tracer->run(impl.info);
  }
  impl.has_results = true;
}

void Session::Impl::train() {
  info.step = parameters->step();
  info.learning_rate = learning_rate;
  tracer->run(info);
  info.micro_batch = (info.micro_batch + 1) % info.micro_batches;
  if (info.micro_batch > 0) return;
  has_norm = true;
  parameters->count_step();
  for (std::int64_t* count : update_counts) ++*count;
}

TensorView Session::view(Value value) const {
  check_value("a fetch", value, *impl_->user);
  const auto root = std::ranges::find_if(
      impl_->roots, [&](const Impl::Root& r) { return !r.gradient && r.value == value; });
  if (root == impl_->roots.end()) {
    const auto node = at(value.node());
    if (node < impl_->parameter_of.size() && !impl_->parameter_of[node].empty()) {
      return impl_->parameters->view(impl_->parameter_of[node]);
    }
    fail("fetch: '", value.name(), "' was not asked for: name it in SessionOptions::fetches");
  }
  check(impl_->has_results,
        "fetch: there is no result: no run has succeeded since the last that "
        "failed, or at all");
  return {root->type, impl_->executor->address(root->buffer)};
}

TensorView Session::view_gradient(Value parameter) const {
  check_value("a gradient", parameter, *impl_->user);
  const auto root = std::ranges::find_if(
      impl_->roots, [&](const Impl::Root& r) { return r.gradient && r.value == parameter; });
  if (root == impl_->roots.end()) {
    fail("fetch_gradient: the gradient for '", parameter.name(),
         "' was not asked for: name it in SessionOptions::gradients");
  }
  check(impl_->has_results,
        "fetch_gradient: there is no result: no run has succeeded since the last "
        "that failed, or at all");
  return {root->type, impl_->executor->address(root->buffer)};
}

void Session::set_learning_rate(double learning_rate) {
  check(impl_->trains(), "set_learning_rate: the session has no optimizer");
  check(std::isfinite(learning_rate) && learning_rate >= 0,
        "set_learning_rate: must be finite and at least 0, got ", learning_rate);
  impl_->learning_rate = learning_rate;
}

void Session::start_trace(const TraceOptions& options) {
  const Busy busy(impl_->busy, "start_trace");
  impl_->tracer->start(options);
}

Trace Session::stop_trace() {
  const Busy busy(impl_->busy, "stop_trace");
  return impl_->tracer->stop();
}

void Session::stop_trace(const std::string& path) {
  const Busy busy(impl_->busy, "stop_trace");
  write_trace(impl_->tracer->recorded(), path);
  impl_->tracer->stop();
}

double Session::gradient_norm() const {
  check(impl_->norm_buffer >= 0, "gradient_norm: the session has no gradient_scaling");
  check(impl_->has_norm, "gradient_norm: no step has ended yet");
  const TensorView norm{impl_->norm_type, impl_->executor->address(impl_->norm_buffer)};
  return norm.type.dtype == DType::f32 ? norm.as<float>()[0] : norm.as<double>()[0];
}

int Session::micro_batch() const { return static_cast<int>(impl_->info.micro_batch); }
double Session::learning_rate() const { return impl_->learning_rate; }
const std::shared_ptr<Parameters>& Session::parameters() const { return impl_->parameters; }
const Plan& Session::plan() const { return *impl_->plan; }
int Session::threads() const { return impl_->threads; }
bool Session::serial() const { return impl_->serial; }

}  // namespace gradmill
