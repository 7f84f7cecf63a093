#include <gradmill/ops/cross_entropy.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "support/op_check.h"

namespace gradmill {
namespace {

using Labels = std::vector<std::int64_t>;

const double kInf = std::numeric_limits<double>::infinity();

// One call, with labels or probabilities (input 1).
struct Call {
  CrossEntropyOptions options = {};
  Labels labels = {};
  std::optional<Array> weight = {};

  Value operator()(std::span<const Value> x) const {
    Graph& graph = x[0].graph();
    CrossEntropyOptions all = options;
    if (weight) all.weight = constant(graph, *weight, x[0].dtype());
    if (x.size() > 1) return cross_entropy(x[0], x[1], all, "loss");
    std::vector<std::int64_t> lines = x[0].shape().sizes();
    lines.erase(lines.begin() + 1);
    const Shape shape(lines);
    return cross_entropy(x[0], graph.constant(std::span<const std::int64_t>(labels), shape), all,
                         "loss");
  }
};

// The definition, one number at a time: the result, and the gradient of its sum for the logits.
struct Reference {
  Array result;
  Array gradient;
};

Reference reference(const Call& call, const Array& z, const Array* probabilities = nullptr) {
  const CrossEntropyOptions& options = call.options;
  const std::int64_t classes = z.shape[1];
  std::vector<std::int64_t> lines_shape = z.shape.sizes();
  lines_shape.erase(lines_shape.begin() + 1);
  Array losses{Shape(lines_shape)};
  Array gradient(z.shape);
  double divisor = 0;
  for (std::int64_t line = 0; line < losses.size(); ++line) {
    const auto at = [&](std::int64_t j) {
      Index index = index_of(line, losses.shape);
      index.insert(index.begin() + 1, j);
      return flat_of(index, z.shape);
    };
    const std::int64_t label =
        probabilities != nullptr ? -1 : call.labels[static_cast<std::size_t>(line)];
    if (probabilities == nullptr && label == options.ignore_index) continue;
    const auto weight = [&](std::int64_t j) { return call.weight ? (*call.weight)[j] : 1; };
    divisor += probabilities != nullptr ? 1 : weight(label);
    double m = -kInf;
    for (std::int64_t j = 0; j < classes; ++j) m = std::max(m, z[at(j)]);
    double s = 0;
    for (std::int64_t j = 0; j < classes; ++j) s += std::exp(z[at(j)] - m);
    double total = 0;
    const auto target = [&](std::int64_t j) {
      const double t = probabilities != nullptr ? (*probabilities)[at(j)] : j == label ? 1 : 0;
      return weight(j) * ((1 - options.label_smoothing) * t +
                          options.label_smoothing / static_cast<double>(classes));
    };
    for (std::int64_t j = 0; j < classes; ++j) {
      const double q = target(j);
      total += q;
      if (q != 0) losses[line] += q * (std::log(s) + m - z[at(j)]);
    }
    for (std::int64_t j = 0; j < classes; ++j) {
      gradient[at(j)] = std::exp(z[at(j)] - m) / s * total - target(j);
    }
  }
  if (options.reduction == Reduction::none) return {losses, gradient};
  if (options.reduction == Reduction::sum) divisor = 1;
  double sum = 0;
  for (const double loss : losses.data) sum += loss;
  return {Array({}, {sum / divisor}), map(gradient, [&](double g) { return g / divisor; })};
}

Labels random_labels(Random& random, std::int64_t lines, std::int64_t classes) {
  Labels labels;
  for (std::int64_t i = 0; i < lines; ++i) labels.push_back(random.integer(0, classes - 1));
  return labels;
}

// d(sum of the result)/d(logits).
Builder gradient_of(const Call& call) {
  return [=](std::span<const Value> x) { return gradients(call(x), {x[0]})[0]; };
}

// The gradient by the backward node alone: an upstream that is made of the loss keeps it apart.
Builder gradient_apart(const Call& call) {
  return [=](std::span<const Value> x) {
    const Value loss = call(x);
    return gradients({loss}, {x[0]}, {2.0 + 0.0 * loss})[0];
  };
}

void expect_loss_and_gradient(const Call& call, const std::vector<Array>& inputs,
                              double f32 = 3e-6) {
  const Tolerance tolerance{.f32 = f32, .f64 = 2e-13};
  const auto compute = [&](const std::vector<Array>& x) {
    Call rounded = call;
    return reference(rounded, x[0], x.size() > 1 ? &x[1] : nullptr);
  };
  {
    SCOPED_TRACE("result");
    expect_values(
        call, [&](const std::vector<Array>& x) { return compute(x).result; }, inputs, tolerance);
  }
  {
    SCOPED_TRACE("gradient");
    expect_values(
        gradient_of(call), [&](const std::vector<Array>& x) { return compute(x).gradient; }, inputs,
        tolerance);
  }
  SCOPED_TRACE("gradient by a node of its own");
  expect_values(
      gradient_apart(call),
      [&](const std::vector<Array>& x) {
        return map(compute(x).gradient, [](double g) { return 2 * g; });
      },
      inputs, tolerance);
}

Array probabilities_like(Random& random, const Shape& shape) {
  return rounded_to_f32({softmax(random.array(shape, -3, 3), 1, false)})[0];
}

// Every option with some probability, over ranks 2 to 4.
TEST(CrossEntropy, MatchesTheReferenceOverRandomShapesAndOptions) {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    Random random(seed);
    std::vector<std::int64_t> sizes = {random.integer(1, 9), random.integer(1, 40)};
    for (std::int64_t k = random.integer(0, 2); k > 0; --k) sizes.push_back(random.integer(1, 21));
    const Shape shape(sizes);
    Call call;
    call.options.reduction = static_cast<Reduction>(random.integer(0, 2));
    const std::int64_t classes = shape[1];
    if (random.integer(0, 1) == 0) call.options.label_smoothing = random.uniform(0, 1);
    if (random.integer(0, 1) == 0) {
      call.weight = rounded_to_f32({random.array({classes}, 0.1, 3)})[0];
    }
    std::vector<Array> inputs = {random.array(shape, -9, 9)};
    if (random.integer(0, 2) == 0) {
      inputs.push_back(probabilities_like(random, shape));
    } else {
      call.labels = random_labels(random, shape.elements() / classes, classes);
      if (random.integer(0, 1) == 0) call.options.ignore_index = classes - 1;
      for (std::int64_t& label : call.labels) {
        if (random.integer(0, 4) == 0) label = call.options.ignore_index;
      }
      call.labels[0] = 0;
    }
    if (call.options.ignore_index == 0) continue;
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, ", reduction ",
                     static_cast<int>(call.options.reduction), ", smoothing ",
                     call.options.label_smoothing, call.weight ? ", weighted" : "",
                     inputs.size() > 1 ? ", probabilities" : ", labels", ", ignore ",
                     call.options.ignore_index));
    expect_loss_and_gradient(call, inputs);
  }
}

TEST(CrossEntropy, ManyTilesMatchTheReference) {
  for (const Shape& shape : {Shape{701, 10}, Shape{3, 5003}, Shape{129, 1000}, Shape{17000, 2},
                             Shape{5, 300, 7}, Shape{3, 7, 40, 30}, Shape{1, 3000, 2}}) {
    for (const bool everything : {false, true}) {
      SCOPED_TRACE(cat(shape, everything ? ", weighted and smoothed" : ""));
      Random random(1);
      Call call;
      call.labels = random_labels(random, shape.elements() / shape[1], shape[1]);
      if (everything) {
        call.options.label_smoothing = 0.25;
        call.weight = rounded_to_f32({random.array({shape[1]}, 0.5, 2)})[0];
        call.options.ignore_index = 1;
        call.labels[0] = 0;
      }
      expect_loss_and_gradient(call, {random.array(shape, -3, 3)}, 5e-6);
    }
  }
}

TEST(CrossEntropy, GradientsMatchCentralDifferences) {
  Random random(2);
  for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
    Call call{.options = {.ignore_index = 3, .reduction = reduction, .label_smoothing = 0.2},
              .labels = {2, 0, 4, 3, 1, 2},
              .weight = Array({5}, {1, 0.5, 2, 0.25, 1.5})};
    SCOPED_TRACE(cat("reduction ", static_cast<int>(reduction)));
    expect_gradients(call, {random.array({6, 5})});
    expect_gradients(call, {random.array({3, 5, 2})});
    // Also for the probabilities.
    call.options.ignore_index = -100;
    for (const Shape& shape : {Shape{3, 5}, Shape{2, 5, 3}}) {
      expect_gradients(call, {random.array(shape), probabilities_like(random, shape)});
    }
  }
  // Behind a factor the upstream is no longer one, and logits with a second reader stay.
  const Call plain{.labels = {2, 0, 4}};
  expect_gradients([&](auto x) { return 3.0 * plain(x) + sum(x[0] * x[0]); },
                   {random.array({3, 5})});
}

TEST(CrossEntropy, SecondGradientsMatchCentralDifferences) {
  Random random(4);
  for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
    SCOPED_TRACE(cat("reduction ", static_cast<int>(reduction)));
    Call call{.options = {.ignore_index = 1, .reduction = reduction, .label_smoothing = 0.3},
              .labels = {2, 1, 0, 3},
              .weight = Array({4}, {1, 0.5, 2, 0.25})};
    expect_second_gradients(call, {random.array({4, 4})});
    expect_second_gradients(call, {random.array({2, 4, 2})});
    call.options.ignore_index = -100;
    for (const Shape& shape : {Shape{3, 4}, Shape{2, 4, 2}}) {
      expect_second_gradients(call, {random.array(shape), probabilities_like(random, shape)});
    }
  }
}

TEST(CrossEntropy, ThirdGradientsMatchCentralDifferences) {
  Random random(5);
  for (const Reduction reduction : {Reduction::none, Reduction::mean}) {
    const Call call{.options = {.reduction = reduction, .label_smoothing = 0.3},
                    .weight = Array({3}, {1, 0.5, 2})};
    const Shape shape = {2, 3, 2};
    expect_second_gradients(gradient_of(call),
                            {random.array(shape), probabilities_like(random, shape)});
  }
}

TEST(CrossEntropy, IsExactForLogitsOfAnySize) {
  const Array logits({5, 3}, {1e30, -1e30, 0, 1e30, 1e30, -1e30, -kInf, 0, 1, -kInf, 5, -kInf,
                              -1e30, -1e30, -1e30});
  const Call call{.labels = {0, 1, 2, 1, 0}};
  const double expected = (0 + std::log(2) + std::log1p(std::exp(-1.0)) + 0 + std::log(3)) / 5;
  for (const DType dtype : {DType::f32, DType::f64}) {
    EXPECT_NEAR(evaluate(call, {logits}, dtype)[0], expected, 1e-6);
    const Array gradient = evaluate(gradient_of(call), {logits}, dtype);
    expect_near(gradient, reference(call, logits).gradient, 1e-6);
    EXPECT_EQ(gradient(2, 0), 0);
  }
  // The label's logit is far below, or -inf.
  const auto loss = [](double a, double b, std::int64_t label) {
    return evaluate(Call{.labels = {label}}, {Array({1, 2}, {a, b})}, DType::f32)[0];
  };
  EXPECT_NEAR(loss(1e30, -1e30, 1), 2e30, 1e24);
  EXPECT_EQ(loss(-kInf, 0, 0), kInf);
  EXPECT_TRUE(std::isnan(loss(-kInf, -kInf, 0)));
}

// A confident row's loss is e^-x and its gradient -e^-x, far below the rounding of 1 - p.
TEST(CrossEntropy, SmallLossesKeepTheirDigits) {
  for (const auto& [dtype, x, tolerance] :
       {std::tuple(DType::f32, 30.0, 1e-6), std::tuple(DType::f32, 80.0, 1e-6),
        std::tuple(DType::f64, 50.0, 1e-14), std::tuple(DType::f64, 600.0, 1e-13)}) {
    for (const Shape& shape : {Shape{1, 3}, Shape{1, 3, 1, 1}}) {
      const Array logits(shape, {0, x, -x});
      const Call call{.labels = {1}};
      const double expected = std::exp(-x);
      EXPECT_NEAR(evaluate(call, {logits}, dtype)[0] / expected, 1, tolerance) << x;
      EXPECT_NEAR(evaluate(gradient_of(call), {logits}, dtype)[1] / -expected, 1, tolerance);
      EXPECT_NEAR(evaluate(gradient_apart(call), {logits}, dtype)[1] / (-2 * expected), 1,
                  tolerance);
    }
  }
}

// What the fused op is for: composed of softmax and log the loss is lost where p underflows, and
// the gradient is 0 / 0 there; elsewhere both agree.
TEST(CrossEntropy, HoldsWhereLogOfSoftmaxFails) {
  const Labels labels = {1, 0};
  const auto composed = [&](std::span<const Value> x) {
    const std::vector<float> one_hot = {0, 1, 1, 0};
    const Value picked = x[0].graph().constant(std::span<const float>(one_hot), {2, 2});
    return neg(mean(sum(log(softmax(x[0], 1)) * picked, {1})));
  };
  const auto composed_gradient = [&](std::span<const Value> x) {
    return gradients(composed(x), {x[0]})[0];
  };
  const Call fused{.labels = labels};

  const std::vector<Array> moderate = {Array({2, 2}, {1, 3, -0.5, 2})};
  expect_near(evaluate(fused, moderate, DType::f32), evaluate(composed, moderate, DType::f32),
              1e-6);
  expect_near(evaluate(gradient_of(fused), moderate, DType::f32),
              evaluate(composed_gradient, moderate, DType::f32), 1e-6);

  const std::vector<Array> far = {Array({2, 2}, {200, 0, 5, 5})};
  EXPECT_EQ(evaluate(composed, far, DType::f32)[0], kInf);
  EXPECT_TRUE(std::isnan(evaluate(composed_gradient, far, DType::f32)[0]));
  EXPECT_NEAR(evaluate(fused, far, DType::f32)[0], (200 + std::log(2)) / 2, 1e-5);
  expect_near(evaluate(gradient_of(fused), far, DType::f32),
              Array({2, 2}, {0.5, -0.5, -0.25, 0.25}), 1e-6);
}

TEST(CrossEntropy, IgnoredRowsCountForNothingWhateverIsInThem) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Array rows({3, 2}, {nan, kInf, 1, 2, -kInf, -kInf});
  const Array columns({1, 2, 3}, {nan, 1, -kInf, kInf, 2, -kInf});
  for (const double smoothing : {0.0, 0.5}) {
    const Call call{.options = {.label_smoothing = smoothing}, .labels = {-100, 0, -100}};
    const Call alone{.options = {.label_smoothing = smoothing}, .labels = {0}};
    const Reference expected = reference(alone, Array({1, 2}, {1, 2}));
    for (const Array& logits : {rows, columns}) {
      const bool row = logits.shape.rank() == 2;
      expect_near(evaluate(call, {logits}, DType::f64), expected.result, 1e-13);
      for (const Builder& builder : {gradient_of(call), gradient_apart(call)}) {
        const Array gradient = evaluate(builder, {logits}, DType::f64);
        for (const std::int64_t i : row ? Index{0, 1, 4, 5} : Index{0, 2, 3, 5}) {
          EXPECT_EQ(gradient[i], 0) << i;
        }
        EXPECT_NE(gradient[row ? 2 : 1], 0);
      }
      Call each = call;
      each.options.reduction = Reduction::none;
      const Array losses = evaluate(each, {logits}, DType::f32);
      EXPECT_EQ(losses[0], 0);
      EXPECT_EQ(losses[2], 0);
    }
    const Call none{.options = {.label_smoothing = smoothing}, .labels = {-100, -100, -100}};
    EXPECT_TRUE(std::isnan(evaluate(none, {rows}, DType::f32)[0]));
    for (const double g : evaluate(gradient_of(none), {rows}, DType::f32).data) EXPECT_EQ(g, 0);
  }
}

// PyTorch has 0 * inf = NaN here.
TEST(CrossEntropy, ClassesThatDoNotCountAddNothing) {
  const std::vector<Array> inputs = {Array({1, 3}, {1, 2, -kInf}), Array({1, 3}, {0.5, 0.5, 0})};
  const double expected = std::log(std::exp(1) + std::exp(2)) - 1.5;
  const double p = 1 / (1 + std::exp(1));
  for (const DType dtype : {DType::f32, DType::f64}) {
    EXPECT_NEAR(evaluate(Call{}, inputs, dtype)[0], expected, 1e-6);
    expect_near(evaluate(gradient_of(Call{}), inputs, dtype), Array({1, 3}, {p - 0.5, 0.5 - p, 0}),
                1e-6);
  }
  const Call weighted{
      .options = {.reduction = Reduction::sum}, .labels = {2}, .weight = Array({3}, {1, 1, 0})};
  EXPECT_EQ(evaluate(weighted, {inputs[0]}, DType::f32)[0], 0);
}

TEST(CrossEntropy, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(3);
  for (const Shape& shape :
       {Shape{3001, 37}, Shape{67, 4001}, Shape{40000, 3}, Shape{3, 11, 701}}) {
    SCOPED_TRACE(cat(shape));
    Call call{.labels = random_labels(random, shape.elements() / shape[1], shape[1])};
    EXPECT_GT(most_tiles(call, {Array(shape)}), 1);
    expect_same_bits(call, {random.array(shape)});
    call.options.reduction = Reduction::none;
    call.options.label_smoothing = 0.1;
    call.weight = random.array({shape[1]}, 0.5, 2);
    expect_same_bits(call, {random.array(shape)});
  }
}

}  // namespace
}  // namespace gradmill
