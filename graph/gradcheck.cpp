#include <gradmill/graph/gradcheck.h>

#include <algorithm>
#include <cmath>
#include <shared_mutex>
#include <utility>

#include <gradmill/graph/autodiff.h>
#include <gradmill/graph/gradcheck/clone.h>
#include <gradmill/graph/gradcheck/tensor_check.h>
#include <gradmill/graph/initializer.h>
#include <gradmill/graph/parameters/store.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/support/index.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

bool is_variable(const Node& node) {
  return node.kind == NodeKind::parameter || node.kind == NodeKind::input;
}

void check_options(const GradcheckOptions& options) {
  check(options.eps >= 1e-9 && options.eps <= 0.1, "eps must be in [1e-9, 0.1], got ", options.eps);
  check(std::isfinite(options.atol) && options.atol >= 0,
        "atol must be finite and at least 0, got ", options.atol);
  check(options.rtol >= 0 && options.rtol < 1, "rtol must be in [0, 1), got ", options.rtol);
  check(options.max_elements >= 0, "max_elements must be at least 0, got ", options.max_elements);
  check(options.samples > 0, "samples must be at least 1, got ", options.samples);
}

void check_floating(const char* what, const Value& value, const Graph& graph) {
  check(static_cast<bool>(value), what, " is a null value");
  check(&value.graph() == &graph, what, " is a value of another graph");
  check(is_floating(value.dtype()), what, " '", value.name(), "' is ", value.type(),
        "; only f32 and f64 have gradients");
}

// Which nodes `value` is computed from, itself included: by differentiable paths, or by any.
std::vector<bool> ancestors(const Graph& graph, const Value& value, bool differentiable) {
  std::vector<bool> reached(graph.nodes().size(), false);
  reached[at(value.node())] = true;
  for (int index = value.node(); index >= 0; --index) {
    if (!reached[at(index)]) continue;
    const Node& node = graph.nodes()[at(index)];
    for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
      if (!differentiable || node.op->differentiable(i))
        reached[at(node.inputs[at(i)].node)] = true;
    }
  }
  return reached;
}

// The default for what to check; the report gets what that leaves out.
std::vector<Value> choose(const Graph& graph, const Value& value, GradcheckReport& report) {
  const std::vector<bool> reached = ancestors(graph, value, true);
  const std::vector<bool> used = ancestors(graph, value, false);
  std::vector<Value> chosen;
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    const Node& node = graph.nodes()[at(i)];
    if (!is_variable(node)) continue;
    const Type& type = node.outputs[0];
    if (reached[at(i)] && is_floating(type.dtype)) {
      chosen.emplace_back(&value.graph(), i, 0);
      continue;
    }
    if (used[at(i)] && is_floating(type.dtype)) report.blocked.push_back(node.name);
    report.left_out.push_back(cat("'", node.name, "' ", type, ": ",
                                  !used[at(i)]               ? "the value does not depend on it"
                                  : !is_floating(type.dtype) ? "only f32 and f64 have gradients"
                                                             : "no gradient flows to it"));
  }
  check(!chosen.empty(), "'", value.name(),
        "' depends on no parameter and no floating input by a differentiable path");
  return chosen;
}

std::vector<double> doubles(const Type& type, const void* data) {
  return visit_floating(type.dtype, [&](auto element) {
    const auto values = TensorView{type, data}.as<decltype(element)>();
    return std::vector<double>(values.begin(), values.end());
  });
}

// The copy of the graph, and the memory of its parameters and inputs.
class Point {
 public:
  Point(const Graph& graph, std::span<const Value> roots)
      : graph_(graph), clone_(clone_in_f64(graph, roots)) {}

  Value of(const Value& value) const { return clone_.of(value); }
  Graph& graph() { return *clone_.graph; }
  const std::shared_ptr<Parameters>& parameters() const { return parameters_; }
  std::span<const Feed> feeds() const { return feeds_; }

  void set_parameters(const GradcheckOptions& options) {
    parameters_ = std::make_shared<Parameters>(*clone_.graph);
    const auto source = options.parameters != nullptr
                            ? options.parameters
                            : std::make_shared<Parameters>(graph_, options.seed);
    const std::shared_lock lock(source->store().mutex);
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.nodes()[i];
      if (node.kind != NodeKind::parameter || clone_.nodes[i] < 0) continue;
      const Type& type = node.outputs[0];
      check(source->contains(node.name), "parameter '", node.name, "' ", type,
            " is not among those given");
      const TensorView view = source->view(node.name);
      check(view.type == type, "parameter '", node.name, "' is ", view.type,
            " among those given, and the graph has ", type);
      std::ranges::copy(doubles(type, view.data), memory(node.name).begin());
    }
  }

  void set_feeds(std::span<const Feed> feeds, std::uint64_t seed) {
    std::vector<const Feed*> fed(graph_.nodes().size(), nullptr);
    for (const Feed& feed : feeds) fed[check_feed(feed, fed)] = &feed;
    inputs_.resize(fed.size());
    for (std::size_t i = 0; i < fed.size(); ++i) {
      const Node& node = graph_.nodes()[i];
      if (node.kind != NodeKind::input || clone_.nodes[i] < 0) continue;
      const Type& type = node.outputs[0];
      const Value input(clone_.graph.get(), clone_.nodes[i], 0);
      if (!is_floating(type.dtype)) {
        check(fed[i] != nullptr, "input '", node.name, "' ", type,
              " was not fed; only floating inputs are drawn");
        feeds_.emplace_back(input, static_cast<const std::int64_t*>(fed[i]->data()));
        continue;
      }
      if (fed[i] != nullptr) {
        inputs_[i] = doubles(type, fed[i]->data());
      } else {
        inputs_[i].resize(static_cast<std::size_t>(type.shape.elements()));
        Initializer::normal().fill(input.type(), inputs_[i].data(), seed, cat("input ", node.name));
      }
      feeds_.emplace_back(input, inputs_[i]);
    }
  }

  // Where a parameter or input has its elements.
  std::span<double> memory(const Value& original) {
    const Node& node = graph_.nodes()[at(original.node())];
    if (node.kind == NodeKind::input) return inputs_[at(original.node())];
    return memory(node.name);
  }

 private:
  std::span<double> memory(const std::string& parameter) {
    // The parameters are this check's own, so no session runs with them while they are written.
    return {static_cast<double*>(parameters_->store().address(parameter)),
            static_cast<std::size_t>(parameters_->view(parameter).type.shape.elements())};
  }

  std::size_t check_feed(const Feed& feed, const std::vector<const Feed*>& fed) const {
    const Value value = feed.input();
    check(static_cast<bool>(value), "a feed names a null value");
    check(&value.graph() == &graph_, "a feed names a value of another graph");
    const Type& type = value.type();
    check(graph_.nodes()[at(value.node())].kind == NodeKind::input, "the feed for '", value.name(),
          "' is for no input");
    check(feed.dtype() == type.dtype, "input '", value.name(), "' is ", type, ", and is fed ",
          to_string(feed.dtype()));
    check(feed.count() < 0 || feed.count() == type.shape.elements(), "input '", value.name(),
          "' is ", type, " of ", type.shape.elements(), " elements, and is fed ", feed.count());
    check(feed.data() != nullptr, "input '", value.name(), "' is fed a null pointer");
    check(fed[at(value.node())] == nullptr, "input '", value.name(), "' is fed twice");
    return at(value.node());
  }

  const Graph& graph_;
  Clone clone_;
  std::shared_ptr<Parameters> parameters_;
  std::vector<std::vector<double>> inputs_;  // one per node of the given graph
  std::vector<Feed> feeds_;
};

// Positive, so that a sum of convex values stays convex, and the gradient between its slopes.
std::vector<double> weights_for(const Shape& shape, std::uint64_t seed) {
  std::vector<double> weights(static_cast<std::size_t>(shape.elements()), 1.0);
  if (shape.elements() > 1) {
    const Type type{DType::f64, shape};
    Initializer::uniform(0.5, 1.5).fill(type, weights.data(), seed, "weights");
  }
  return weights;
}

GradcheckReport run(const Graph& graph, const Value& value, std::span<const Feed> feeds,
                    const GradcheckOptions& options) {
  check_options(options);
  check_floating("the value", value, graph);
  for (const Value& variable : options.wrt) {
    check_floating("a value of wrt", variable, graph);
    check(is_variable(graph.nodes()[at(variable.node())]), "'", variable.name(),
          "' of wrt is neither a parameter nor an input");
  }
  GradcheckReport report{.value = value.name(), .seed = options.seed};
  const std::vector<Value> wrt = options.wrt.empty() ? choose(graph, value, report) : options.wrt;

  std::vector<Value> roots = wrt;
  roots.push_back(value);
  Point point(graph, roots);
  point.set_parameters(options);
  point.set_feeds(feeds, options.seed);
  const Value y = point.of(value);
  const std::vector<double> weights = weights_for(y.shape(), options.seed);

  Session forward(point.graph(),
                  {.fetches = {y}, .threads = options.threads, .parameters = point.parameters()});
  SlopeProbe probe(forward, y, point.feeds(), weights);
  std::int64_t elements = 0;
  for (const Value& variable : wrt) {
    report.tensors.push_back({variable.name(), variable.type()});
    elements += variable.shape().elements();
  }
  if (!probe.repeats()) {
    report.problem = "two runs at the same point differ";
    return report;
  }
  const auto broken =
      std::ranges::find_if_not(probe.center(), [](double v) { return std::isfinite(v); });
  if (broken != probe.center().end()) {
    report.problem =
        cat("element ", index_text(unravel_index(broken - probe.center().begin(), y.shape())),
            " of the value is ", *broken);
    return report;
  }

  std::vector<Value> variables;
  variables.reserve(wrt.size());
  for (const Value& variable : wrt) variables.push_back(point.of(variable));
  // An op that ignores its upstream shows only where that is not 1.
  const double scale = weights.size() == 1 ? 2.0 : 1.0;
  std::vector<double> scaled = weights;
  for (double& weight : scaled) weight *= scale;
  const Value upstream = point.graph().constant(std::span<const double>(scaled), y.shape());
  const std::vector<Value> results =
      gradients(std::span(&y, 1), variables, std::span(&upstream, 1));
  Session backward(
      point.graph(),
      {.fetches = results, .threads = options.threads, .parameters = point.parameters()});
  backward.run(point.feeds());
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    const auto result = backward.view(results[i]).as<double>();
    std::vector<double> gradient(result.begin(), result.end());
    for (double& slope : gradient) slope /= scale;
    TensorCheck check_of(report.tensors[i], point.memory(wrt[i]), gradient, probe,
                         {options.eps, options.atol, options.rtol, options.samples, options.seed});
    if (elements <= options.max_elements) {
      check_of.all();
    } else {
      check_of.sampled(i);
    }
  }
  return report;
}

}  // namespace

GradcheckReport gradcheck(const Graph& graph, Value value, std::span<const Feed> feeds,
                          const GradcheckOptions& options) {
  try {
    return run(graph, value, feeds, options);
  } catch (const Failure& failure) {
    throw Failure(cat("gradcheck: ", failure.what()));
  } catch (const Error& error) {
    throw Error(cat("gradcheck: ", error.what()));
  }
}

}  // namespace gradmill
