#include "cross_entropy_case.h"

#include <algorithm>
#include <cmath>

namespace gradmill {
namespace {

constexpr double kLogits = 8;

// log sum_j exp(z_j) of a row.
double log_sum(const CrossEntropyCase& tested, std::int64_t r) {
  double sum = 0;
  for (std::int64_t c = 0; c < tested.classes(); ++c) {
    sum += std::exp(tested.logits[tested.at(r, c)]);
  }
  return std::log(sum);
}

}  // namespace

Shape CrossEntropyCase::row_shape() const {
  std::vector<std::int64_t> sizes = shape.sizes();
  sizes.erase(sizes.begin() + 1);
  return Shape(sizes);
}

Shape CrossEntropyCase::result_shape() const {
  return reduction == Reduction::none ? row_shape() : Shape();
}

std::int64_t CrossEntropyCase::at(std::int64_t r, std::int64_t c) const {
  const std::int64_t inner = rows() / shape[0];
  return (r / inner * classes() + c) * inner + r % inner;
}

std::vector<Array> CrossEntropyCase::inputs() const {
  std::vector<Array> inputs = {logits};
  if (probabilities) inputs.push_back(*probabilities);
  if (weight) inputs.push_back(*weight);
  return inputs;
}

Builder CrossEntropyCase::build() const {
  return [*this](std::span<const Value> x) {
    CrossEntropyOptions options{
        .ignore_index = ignore_index, .reduction = reduction, .label_smoothing = smoothing};
    if (weight) options.weight = x.back();
    const Value targets =
        probabilities ? x[1]
                      : x[0].graph().constant(std::span<const std::int64_t>(labels), row_shape());
    return cross_entropy(x[0], targets, options);
  };
}

Array CrossEntropyCase::gradient(const Array& upstream, std::size_t k) const {
  std::vector<Array> with_upstream = inputs();
  with_upstream.push_back(upstream);
  return computed(gradient_of(build(), k), with_upstream, dtype);
}

Array CrossEntropyCase::loss_gradient() const {
  const Builder gradient = [*this](std::span<const Value> x) {
    return gradients({build()(x)}, {x[0]})[0];
  };
  return computed(gradient, inputs(), dtype);
}

double CrossEntropyCase::target(std::int64_t r, std::int64_t c) const {
  if (ignored(r)) return 0;
  const double t = probabilities ? (*probabilities)[at(r, c)]
                                 : (labels[static_cast<std::size_t>(r)] == c ? 1 : 0);
  return (weight ? (*weight)[c] : 1) *
         ((1 - smoothing) * t + smoothing / static_cast<double>(classes()));
}

double CrossEntropyCase::divisor() const {
  if (reduction != Reduction::mean) return 1;
  double sum = 0;
  for (std::int64_t r = 0; r < rows(); ++r) {
    if (ignored(r)) continue;
    const bool weighted = weight && !probabilities;
    sum += weighted ? (*weight)[labels[static_cast<std::size_t>(r)]] : 1;
  }
  return sum;
}

Reduction drawn_reduction() { return static_cast<Reduction>(drawn("reduction", 0, 2)); }

CrossEntropyCase drawn_cross_entropy(CrossEntropyChoice choice, Reduction reduction) {
  constexpr std::int64_t kMost = 20'000;  // elements: more than a tile
  CrossEntropyCase result;
  result.shape = drawn_shape(static_cast<int>(drawn("rank", 2, 4)), kMost);
  result.dtype = drawn_dtype();
  result.reduction = reduction;
  const bool probabilities = choice.probabilities && drawn_bool("probabilities");
  const bool weighted = choice.weight && drawn_bool("weight");
  if (choice.smoothing) result.smoothing = static_cast<double>(drawn("smoothing in 1/8", 0, 8)) / 8;
  const bool ignored = choice.ignored && !probabilities && drawn_bool("rows ignored");
  if (ignored) result.ignore_index = drawn("ignore_index", -2, result.classes() - 2);

  Random random = drawn_random();
  result.logits = rounded_to_f32({random.array(result.shape, -kLogits, kLogits)})[0];
  for (std::int64_t r = 0; r < result.rows(); ++r) {
    const std::int64_t label = random.integer(0, result.classes() - 1);
    const bool ignore = ignored && random.integer(0, 2) == 0;
    result.labels.push_back(ignore ? result.ignore_index : label);
  }
  result.labels[0] = result.classes() - 1;  // never ignored
  if (probabilities) {
    result.probabilities = rounded_to_f32({softmax(random.array(result.shape), 1, false)})[0];
  }
  if (weighted) result.weight = rounded_to_f32({random.array({result.classes()}, 0.25, 2)})[0];
  return result;
}

CrossEntropyCase picked(const CrossEntropyCase& tested, const std::vector<std::int64_t>& rows) {
  CrossEntropyCase result = tested;
  const std::int64_t n = tested.classes();
  result.shape = {static_cast<std::int64_t>(rows.size()), n};
  const auto pick = [&](const Array& from) {
    Array to(result.shape);
    for (std::int64_t i = 0; i < to.size(); ++i) {
      to[i] = from[rows[static_cast<std::size_t>(i / n)] * n + i % n];
    }
    return to;
  };
  result.logits = pick(tested.logits);
  if (tested.probabilities) result.probabilities = pick(*tested.probabilities);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    result.labels[r] = tested.labels[static_cast<std::size_t>(rows[r])];
  }
  result.labels.resize(rows.size());
  return result;
}

CrossEntropyCase flattened(const CrossEntropyCase& tested) {
  CrossEntropyCase result = tested;
  result.shape = {tested.rows(), tested.classes()};
  for (std::int64_t i = 0; i < result.logits.size(); ++i) {
    const std::int64_t from = tested.at(i / tested.classes(), i % tested.classes());
    result.logits[i] = tested.logits[from];
    if (tested.probabilities) (*result.probabilities)[i] = (*tested.probabilities)[from];
  }
  result.logits.shape = result.shape;
  if (tested.probabilities) result.probabilities->shape = result.shape;
  return result;
}

// The bounds count roundings, as in softmax_property_test.cpp: log s + m - z_j and p_j carry those
// of z - m, exp and the sum (at most 4 kLogits + n + 20), and each sum of n numbers adds n + 2
// roundings of their magnitudes. Magnitudes: log s + m - z_j is at most 2 kLogits + log n.

Bounded reference_loss(const CrossEntropyCase& tested) {
  const double unit = roundoff(tested.dtype);
  const auto n = static_cast<double>(tested.classes());
  const double most = 2 * kLogits + std::log(n) + 1;
  Array value(tested.row_shape());
  Array bound(tested.row_shape());
  for (std::int64_t r = 0; r < tested.rows(); ++r) {
    const double log_s = log_sum(tested, r);
    for (std::int64_t c = 0; c < tested.classes(); ++c) {
      const double q = tested.target(r, c);
      value[r] += q * (log_s - tested.logits[tested.at(r, c)]);
      bound[r] += unit * q * (4 * kLogits + 3 * n + 20 + (n + 8) * most);
    }
  }
  if (tested.reduction == Reduction::none) return {value, bound};
  Bounded result;
  for (std::int64_t r = 0; r < tested.rows(); ++r) {
    result.value[0] += value[r];
    result.bound[0] += bound[r] + unit * static_cast<double>(2 * tested.rows() + 4) * value[r];
  }
  result.value[0] /= tested.divisor();
  result.bound[0] /= tested.divisor();
  return result;
}

Bounded reference_gradient(const CrossEntropyCase& tested, const Array& upstream) {
  const double unit = roundoff(tested.dtype);
  const auto n = static_cast<double>(tested.classes());
  // Roundings of g: the divisor is a sum over the rows.
  const double scale_error = static_cast<double>(tested.rows()) + 4;
  const double divisor = tested.divisor();
  Bounded result{Array(tested.shape), Array(tested.shape)};
  for (std::int64_t r = 0; r < tested.rows(); ++r) {
    const double log_s = log_sum(tested, r);
    const double g = upstream[upstream.shape.rank() == 0 ? 0 : r] / divisor;
    double total = 0;
    for (std::int64_t c = 0; c < tested.classes(); ++c) total += tested.target(r, c);
    for (std::int64_t c = 0; c < tested.classes(); ++c) {
      const std::int64_t i = tested.at(r, c);
      const double q = tested.target(r, c);
      const double p = std::exp(tested.logits[i] - log_s);
      result.value[i] = (p * total - q) * g;
      result.bound[i] = unit * std::abs(g) *
                        (p * total * (4 * kLogits + 2 * n + 30 + scale_error) +
                         q * (4 * kLogits + 2 * n + 30 + scale_error));
    }
  }
  return result;
}

}  // namespace gradmill
