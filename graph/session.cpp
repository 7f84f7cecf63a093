#include <gradmill/graph/session.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include <gradmill/graph/autodiff.h>
#include <gradmill/graph/parameters/store.h>
#include <gradmill/graph/passes/rewrite.h>
#include <gradmill/graph/planning/compile.h>
#include <gradmill/graph/session/check_options.h>
#include <gradmill/graph/session/fed_inputs.h>
#include <gradmill/graph/training/training.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/executor/executor.h>
#include <gradmill/runtime/log.h>
#include <gradmill/runtime/plan/step_cost.h>
#include <gradmill/runtime/threads/cpus.h>
#include <gradmill/runtime/trace/tracer.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

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

  std::shared_ptr<Parameters> choose_parameters() const;
  void add_roots();
  void add_training();
  void compile_graph();
  void log_compiled() const;
  void bind(std::span<const Feed> feeds);
  void train();
  Value own(const Value& value) { return {&graph, value.node(), value.output()}; }
  bool trains() const { return options.optimizer != nullptr; }

  const Graph* user;  // an identity to compare with; never followed after construction
  SessionOptions options;
  Graph graph;
  std::shared_ptr<Parameters> parameters;
  std::optional<Training> training;

  struct Root {
    Value value;  // of the user's graph; null for the norm of the gradient
    Type type;
    bool gradient = false;
    int buffer = -1;
  };
  const Root* find_root(const Value& value, bool gradient) const;
  TensorView result(const Root& root, const char* what) const;
  std::vector<Root> roots;
  Ends ends;  // the roots and inputs, in our graph
  FedInputs inputs;
  std::vector<std::string> parameter_of;  // one per node of the user's graph: its name, or empty

  std::shared_ptr<const Plan> plan;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<Tracer> tracer;
  StepInfo info;
  bool has_norm = false;
  double learning_rate = 0;
  int threads = 1;
  bool serial = false;
  bool has_results = false;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

Session::Impl::Impl(const Graph& user_graph, SessionOptions session_options)
    : user(&user_graph), options(std::move(session_options)), inputs(user_graph) {
  check_session_options(options, user_graph);
  info.seed = options.seed;
  info.micro_batches = static_cast<std::uint32_t>(options.micro_batches);
  info.training = options.training.value_or(trains() || !options.gradients.empty());
  threads = options.threads == 0 ? allowed_cpus() : options.threads;
  graph.reset(user_graph.nodes());
  for (const Node& node : graph.nodes()) {
    parameter_of.push_back(node.kind == NodeKind::parameter ? node.name : std::string());
  }
  parameters = choose_parameters();
  add_roots();
  if (trains()) add_training();
  compile_graph();
  serial = options.execution == Execution::serial ||
           (options.execution == Execution::automatic && prefers_serial(*plan, threads));
  executor =
      std::make_unique<Executor>(plan, ExecutorOptions{.threads = threads, .serial = serial});
  log_compiled();
  tracer = std::make_unique<Tracer>(plan, *executor,
                                    options.trace ? options.trace : TraceFile::of_environment());
}

void Session::Impl::add_roots() {
  const auto add = [&](const Value& value, const Value& result, bool gradient) {
    roots.push_back({value, value.type(), gradient});
    ends.roots.push_back(result);
  };
  if (options.loss) add(options.loss, own(options.loss), false);
  for (const Value& value : options.fetches) add(value, own(value), false);
  if (options.gradients.empty()) return;
  std::vector<Value> wrt;
  for (const Value& value : options.gradients) wrt.push_back(own(value));
  const std::vector<Value> results = gradients(own(options.loss), std::span<const Value>(wrt));
  for (std::size_t i = 0; i < wrt.size(); ++i) add(options.gradients[i], results[i], true);
}

void Session::Impl::add_training() {
  learning_rate = options.optimizer->learning_rate();
  training.emplace(graph, own(options.loss),
                   TrainingOptions{.optimizer = options.optimizer,
                                   .groups = options.parameter_groups,
                                   .scaling = options.gradient_scaling,
                                   .micro_batches = options.micro_batches},
                   parameters);
  const Value& norm = training->gradient_norm();
  if (!norm) return;
  roots.push_back({Value(), norm.type()});
  ends.roots.push_back(norm);
}

void Session::Impl::compile_graph() {
  ends.inputs = inputs.in(graph);
  // A gradient that is to be checked must be stored.
  if (options.check_finite) options.rewrites.fuse_updates = false;
  rewrite(graph, ends, options.rewrites);
  GraphPlan compiled = compile(graph, ends, *parameters,
                               {.check_finite = options.check_finite,
                                .tuning = options.tuning.get(),
                                .memory_budget = options.memory_budget,
                                .threads = threads});
  for (std::size_t i = 0; i < roots.size(); ++i) roots[i].buffer = compiled.roots[i];
  inputs.set_buffers(compiled.inputs);
  plan = std::make_shared<const Plan>(std::move(compiled.plan));
}

void Session::Impl::log_compiled() const {
  if (!log_enabled(LogLevel::info)) return;
  double flops = 0;
  for (const PlanStep& step : plan->steps) flops += step.flops;
  log(LogLevel::info,
      cat("compiled: ", graph.nodes().size(), " nodes, ", plan->steps.size(), " steps, ",
          executor->tasks(), executor->tasks() == 1 ? " task" : " tasks",
          serial ? " run serially, " : cat(" for ", threads, " threads, "), plan->arena_bytes,
          " bytes planned (", plan->unshared_bytes, " without reuse), ", flops, " FLOPs per step"));
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

void Session::Impl::bind(std::span<const Feed> feeds) {
  inputs.start_run();
  for (const Feed& feed : feeds) {
    const int buffer = inputs.feed(feed.input(), feed.dtype(), feed.data(), feed.count());
    if (buffer >= 0) executor->bind(buffer, feed.data());
  }
  inputs.check_complete();
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
    const std::unique_lock lock(impl.parameters->store().mutex);
    impl.train();
  } else {
    const std::shared_lock lock(impl.parameters->store().mutex);
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
  training->count_step();
}

const Session::Impl::Root* Session::Impl::find_root(const Value& value, bool gradient) const {
  const auto found = std::ranges::find_if(
      roots, [&](const Root& root) { return root.gradient == gradient && root.value == value; });
  return found == roots.end() ? nullptr : &*found;
}

TensorView Session::Impl::result(const Root& root, const char* what) const {
  check(has_results, what,
        ": there is no result: no run has succeeded since the last that failed, or at all");
  return {root.type, executor->address(root.buffer)};
}

TensorView Session::view(Value value) const {
  check_session_value("a fetch", value, *impl_->user);
  if (const auto* root = impl_->find_root(value, false)) return impl_->result(*root, "fetch");
  const auto node = at(value.node());
  if (node < impl_->parameter_of.size() && !impl_->parameter_of[node].empty()) {
    return impl_->parameters->view(impl_->parameter_of[node]);
  }
  fail("fetch: '", value.name(), "' was not asked for: name it in SessionOptions::fetches");
}

TensorView Session::view_gradient(Value parameter) const {
  check_session_value("a gradient", parameter, *impl_->user);
  if (const auto* root = impl_->find_root(parameter, true)) {
    return impl_->result(*root, "fetch_gradient");
  }
  fail("fetch_gradient: the gradient for '", parameter.name(),
       "' was not asked for: name it in SessionOptions::gradients");
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
  const Impl::Root* root = impl_->find_root(Value(), false);
  check(root != nullptr, "gradient_norm: the session has no gradient_scaling");
  check(impl_->has_norm, "gradient_norm: no step has ended yet");
  const void* norm = impl_->executor->address(root->buffer);
  return visit_floating(root->type.dtype, [&](auto element) -> double {
    return *static_cast<const decltype(element)*>(norm);
  });
}

int Session::micro_batch() const { return static_cast<int>(impl_->info.micro_batch); }
double Session::learning_rate() const { return impl_->learning_rate; }
const std::shared_ptr<Parameters>& Session::parameters() const { return impl_->parameters; }
const Plan& Session::plan() const { return *impl_->plan; }
int Session::threads() const { return impl_->threads; }
bool Session::serial() const { return impl_->serial; }

}  // namespace gradmill
