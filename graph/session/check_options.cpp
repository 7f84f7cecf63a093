#include <gradmill/graph/session/check_options.h>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr int kMaxThreads = 1024;

}  // namespace

void check_session_value(const char* what, const Value& value, const Graph& graph) {
  check(static_cast<bool>(value), "session: ", what, " is a null value");
  check(&value.graph() == &graph, "session: ", what, " is a value of another graph");
}

void check_session_options(const SessionOptions& options, const Graph& graph) {
  check(options.threads >= 0 && options.threads <= kMaxThreads, "session: threads must be in [0, ",
        kMaxThreads, "], got ", options.threads);
  for (const Value& value : options.fetches) check_session_value("a fetch", value, graph);
  for (const Value& value : options.gradients) {
    check_session_value("a gradient", value, graph);
    check(static_cast<bool>(options.loss), "session: gradients are those of a loss; none is given");
  }
  if (options.loss) {
    check_session_value("the loss", options.loss, graph);
    check(options.loss.shape().rank() == 0, "session: the loss '", options.loss.name(),
          "' must be a scalar, and is ", options.loss.type());
    check(is_floating(options.loss.dtype()), "session: the loss '", options.loss.name(),
          "' must be f32 or f64, and is ", options.loss.type());
  }
  check(options.optimizer == nullptr || options.loss, "session: an optimizer needs a loss");
  check(options.micro_batches >= 1, "session: micro_batches must be at least 1, got ",
        options.micro_batches);
  const auto needs_optimizer = [&](bool given, const char* what) {
    check(!given || options.optimizer != nullptr, "session: ", what,
          " are for a session with an optimizer");
  };
  needs_optimizer(options.micro_batches > 1, "micro_batches");
  needs_optimizer(options.gradient_scaling != nullptr, "gradient_scaling and clipping");
  needs_optimizer(!options.parameter_groups.empty(), "parameter_groups");
  for (const ParameterGroup& group : options.parameter_groups) {
    for (const Value& parameter : group.parameters) {
      check_session_value("a parameter of a group", parameter, graph);
    }
  }
}

}  // namespace gradmill
