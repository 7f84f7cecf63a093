// torch.nn.functional.cross_entropy with every combination of its options.

#include <gtest/gtest.h>

#include <map>

#include "support/reference.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;
using Labels = std::vector<std::int64_t>;

// The gradient p Q - q is a difference of numbers below 3, each exact to 6e-8 of itself.
constexpr Bound kDifferences{.absolute = 2e-7};

const std::map<std::string, Reduction> kReductions = {
    {"none", Reduction::none}, {"mean", Reduction::mean}, {"sum", Reduction::sum}};

Shape without_classes(const Shape& shape) {
  std::vector<std::int64_t> sizes = shape.sizes();
  sizes.erase(sizes.begin() + 1);
  return Shape(sizes);
}

// One of the cases, as PyTorch ran it.
struct Combination {
  Array logits;
  Array probabilities;  // or
  Labels labels;
  Array weight;
  bool labelled;
  bool weighted;
  std::int64_t ignore_index = CrossEntropyOptions{}.ignore_index;
  Reduction reduction;
  double label_smoothing;
  Array upstream;
  Outcome expected;

  Combination(const Json& shared, const Json& outcome)
      : logits(to_array(shared.at("logits"))),
        probabilities(to_array(shared.at("probabilities"))),
        weight(to_array(shared.at("weight"))),
        labelled(outcome.at("targets") != "probabilities"),
        weighted(outcome.at("weight")),
        reduction(kReductions.at(outcome.at("reduction"))),
        label_smoothing(outcome.at("label_smoothing")) {
    const bool per_row = reduction == Reduction::none;
    upstream = to_array(shared.at(per_row ? "upstream_of_rows" : "upstream_of_scalar"));
    expected.result = to_array(outcome.at("result"), upstream.shape);
    expected.gradients = {to_array(outcome.at("gradient"), logits.shape)};
    if (labelled) {
      const Json& targets = shared.at("labels").at(outcome.at("targets").get<std::string>());
      labels = targets.at("data").get<Labels>();
      ignore_index = targets.at("ignore_index");
    } else {
      expected.gradients.push_back(to_array(outcome.at("target_gradient"), logits.shape));
    }
  }

  Value loss(Value z, Value probable) const {
    Graph& graph = z.graph();
    CrossEntropyOptions options{
        .ignore_index = ignore_index, .reduction = reduction, .label_smoothing = label_smoothing};
    if (weighted) options.weight = constant(graph, weight, z.dtype());
    if (!labelled) return cross_entropy(z, probable, options);
    return cross_entropy(
        z, graph.constant(std::span<const std::int64_t>(labels), without_classes(logits.shape)),
        options);
  }
};

// Calls `body` for all of them, named.
void for_each_combination(const std::function<void(const Combination&)>& body) {
  const Json& cases = pytorch_numbers("cross_entropy").at("cases");
  ASSERT_EQ(cases.size(), 3U);
  for (const Json& shared : cases) {
    const Json& outcomes = shared.at("outcomes");
    // Three reductions, with and without weights and smoothing, five kinds of labels and
    // probabilities.
    ASSERT_EQ(outcomes.size(), 3U * 2 * 2 * 6);
    for (const Json& outcome : outcomes) {
      const Combination combination(shared, outcome);
      SCOPED_TRACE(cat("cross_entropy ", combination.logits.shape,
                       ", targets: ", outcome.at("targets").get<std::string>(), ", reduction ",
                       outcome.at("reduction").get<std::string>(),
                       combination.weighted ? ", weights" : "", ", label_smoothing ",
                       combination.label_smoothing));
      body(combination);
    }
  }
}

TEST(PyTorch, GivesTheSameCrossEntropyWithAllOptions) {
  for_each_combination([](const Combination& combination) {
    std::vector<Array> inputs = {combination.logits};
    if (!combination.labelled) inputs.push_back(combination.probabilities);
    expect_outcome([&](std::span<const Value> x) { return combination.loss(x.front(), x.back()); },
                   inputs, combination.upstream, combination.expected, {.gradients = kDifferences});
  });
}

// A loss that is trained may be computed together with its gradient.
TEST(PyTorch, GivesTheSameCrossEntropyWhereItIsTheLoss) {
  for_each_combination([](const Combination& combination) {
    if (combination.reduction == Reduction::none) return;
    // The gradient is then that of upstream 1.
    Array expected = combination.expected.gradients[0];
    for (double& value : expected.data) value /= combination.upstream[0];
    with_threads([&](DType dtype, int threads) {
      Graph graph;
      const Shape& shape = combination.logits.shape;
      const Value logits = graph.parameter("logits", shape, Initializer::zeros(), dtype);
      const Value loss =
          combination.loss(logits, constant(graph, combination.probabilities, dtype));
      Session session(graph, {.loss = loss,
                              .gradients = {logits},
                              .threads = threads,
                              .execution = Execution::flow_graph});
      assign(session, "logits", combination.logits, dtype);
      session.run();
      const Array result = to_array(session.view(loss));
      const Array gradient = to_array(session.view_gradient(logits));
      expect_agrees(result, combination.expected.result, dtype);
      expect_agrees(gradient, expected, dtype, kDifferences);
      return std::vector{result, gradient};
    });
  });
}

void expect_rows(const Json& tested, const CrossEntropyOptions& options, const Array& upstream) {
  const Array logits = to_array(tested.at("logits"));
  const Labels labels = tested.at("labels").get<Labels>();
  const Builder build = [&](std::span<const Value> x) {
    const Value targets =
        x[0].graph().constant(std::span<const std::int64_t>(labels), {logits.shape[0]});
    return cross_entropy(x[0], targets, options);
  };
  expect_outcome(build, {logits}, upstream,
                 {to_array(tested.at("result"), upstream.shape),
                  {to_array(tested.at("gradient"), logits.shape)}});
}

// numpy.random.default_rng(42).standard_normal((4, 3)), labels 0 2 1 0. In f32 the logits are
// rounded first, which moves them by 6e-8 of themselves.
TEST(PyTorch, GivesTheSameCrossEntropyInTheWorkedExample) {
  expect_rows(pytorch_numbers("cross_entropy").at("worked_example"), {}, Array({}, 1.0));
}

TEST(PyTorch, GivesTheSameCrossEntropyOfLargeLogits) {
  const Json& numbers = pytorch_numbers("cross_entropy");
  const Json& tested = numbers.at("large");
  expect_rows(tested, {.reduction = Reduction::none}, to_array(tested.at("upstream"), {3}));
}

}  // namespace
}  // namespace gradmill
