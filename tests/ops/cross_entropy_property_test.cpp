#include <gradmill/ops/cross_entropy.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cross_entropy_case.h"

namespace gradmill {
namespace {

using Case = CrossEntropyCase;

Array drawn_upstream(const Case& tested) {
  Random random = drawn_random();
  return on_grid(random, tested.result_shape());
}

Array sum_of(const Bounded& a, const Bounded& b) { return zip(a.bound, b.bound, std::plus<>()); }

// Expects two calls whose definitions agree to give results within the bounds of both.
void require_same(const Case& a, const Case& b) {
  require_within("loss", a.loss(), b.loss(), sum_of(reference_loss(a), reference_loss(b)));
  const Array upstream = drawn_upstream(a);
  require_within("gradient", a.gradient(upstream), b.gradient(upstream),
                 sum_of(reference_gradient(a, upstream), reference_gradient(b, upstream)));
}

Array doubled(const Array& bound) {
  return map(bound, [](double x) { return 2 * x; });
}

TEST(CrossEntropyProperty, LossAndGradientAreThoseOfTheDefinition) {
  holds([] {
    const Case drawn = drawn_cross_entropy(kEveryOption, drawn_reduction());
    const Bounded loss = reference_loss(drawn);
    require_within("loss", drawn.loss(), loss.value, loss.bound);
    const Array upstream = drawn_upstream(drawn);
    const Bounded gradient = reference_gradient(drawn, upstream);
    require_within("gradient", drawn.gradient(upstream), gradient.value, gradient.bound);
    const Bounded plain = reference_gradient(drawn, Array(drawn.result_shape(), 1));
    require_within("loss gradient", drawn.loss_gradient(), plain.value, plain.bound);
  });
}

TEST(CrossEntropyProperty, TheGradientOfARowSumsToZero) {
  holds([] {
    const Case drawn = drawn_cross_entropy(kEveryOption, drawn_reduction());
    const Array upstream = drawn_upstream(drawn);
    const auto row_sums = [](const Array& x) {
      return reduce(x, {1}, false, [](const std::vector<double>& row) {
        double sum = 0;
        for (const double value : row) sum += value;
        return sum;
      });
    };
    require_within("sum of a row", row_sums(drawn.gradient(upstream)), Array(drawn.row_shape()),
                   row_sums(reference_gradient(drawn, upstream).bound));
  });
}

TEST(CrossEntropyProperty, TheSumIsTheMeanTimesTheDivisor) {
  holds([] {
    const Case mean = drawn_cross_entropy(kEveryOption, Reduction::mean);
    const double divisor = mean.divisor();
    Case sum = mean;
    sum.reduction = Reduction::sum;
    const auto times = [&](const Array& x) {
      return map(x, [&](double y) { return y * divisor; });
    };
    const Bounded loss = reference_loss(sum);
    require_within("loss", times(mean.loss()), sum.loss(), doubled(loss.bound));
    const Bounded expected = reference_gradient(sum, Array({}, 1));
    const Bounded of_mean = reference_gradient(mean, Array({}, 1));
    require_within("gradient", times(mean.gradient(Array({}, 1))), sum.gradient(Array({}, 1)),
                   zip(expected.bound, times(of_mean.bound), std::plus<>()));
  });
}

TEST(CrossEntropyProperty, RowsAddUpToTheSum) {
  holds([] {
    const Case none = drawn_cross_entropy(kEveryOption, Reduction::none);
    Case sum = none;
    sum.reduction = Reduction::sum;
    const Array rows = none.loss();
    double total = 0;
    for (const double row : rows.data) total += row;
    require_within("loss", Array({}, total), sum.loss(), doubled(reference_loss(sum).bound));
    // With one upstream for all rows the gradients are the same as well.
    const Array ones(none.row_shape(), 1);
    require_within("gradient", none.gradient(ones), sum.gradient(Array({}, 1)),
                   sum_of(reference_gradient(none, ones), reference_gradient(sum, Array({}, 1))));
  });
}

TEST(CrossEntropyProperty, TheGradientIsLinearInTheUpstream) {
  holds([] {
    const Case drawn = drawn_cross_entropy(kEveryOption, Reduction::none);
    const Array u = drawn_upstream(drawn);
    const Array v = drawn_upstream(drawn);
    const auto a = static_cast<double>(drawn.labels[0] % 7 - 3);
    constexpr double kB = 2.5;
    const auto combined = [&](const Array& s, const Array& t) {
      return zip(s, t, [&](double x, double y) { return a * x + kB * y; });
    };
    const Array size =
        zip(u, v, [&](double x, double y) { return 2 * (std::abs(a * x) + std::abs(kB * y)); });
    require_within("G(a u + b v)", drawn.gradient(combined(u, v)),
                   combined(drawn.gradient(u), drawn.gradient(v)),
                   reference_gradient(drawn, size).bound);
  });
}

TEST(CrossEntropyProperty, PermutingTheBatchPermutesTheGradient) {
  holds([] {
    const Case drawn = flattened(drawn_cross_entropy(kEveryOption, Reduction::none));
    const std::vector<std::int64_t> order = drawn_order(drawn.rows());
    const Case permuted = picked(drawn, order);
    const Array upstream = drawn_upstream(drawn);
    const auto permute = [&](const Array& x) {
      Array y(x.shape);
      const std::int64_t n = x.size() / drawn.rows();
      for (std::int64_t i = 0; i < x.size(); ++i) {
        y[i] = x[order[static_cast<std::size_t>(i / n)] * n + i % n];
      }
      return y;
    };
    // A row's arithmetic does not depend on where it stands: not one bit changes.
    require_near("loss", permuted.loss(), permute(drawn.loss()), 0);
    require_near("gradient", permuted.gradient(permute(upstream)),
                 permute(drawn.gradient(upstream)), 0);
  });
}

TEST(CrossEntropyProperty, PermutingTheClassesWithTheTargetsPermutesTheGradient) {
  holds([] {
    const Case drawn = drawn_cross_entropy(kEveryOption, drawn_reduction());
    const std::vector<std::int64_t> order = drawn_order(drawn.classes());
    const auto permute = [&](const Array& x) {
      Array y(x.shape);
      for (std::int64_t r = 0; r < drawn.rows(); ++r) {
        for (std::int64_t c = 0; c < drawn.classes(); ++c) {
          y[drawn.at(r, c)] = x[drawn.at(r, order[static_cast<std::size_t>(c)])];
        }
      }
      return y;
    };
    Case permuted = drawn;
    permuted.logits = permute(drawn.logits);
    if (drawn.probabilities) permuted.probabilities = permute(*drawn.probabilities);
    const auto new_label = [&](std::int64_t label) {
      const auto place = std::ranges::find(order, label);
      return place == order.end() ? label : static_cast<std::int64_t>(place - order.begin());
    };
    for (std::int64_t& label : permuted.labels) label = new_label(label);
    permuted.ignore_index = new_label(drawn.ignore_index);
    if (drawn.weight) {
      for (std::int64_t c = 0; c < drawn.classes(); ++c) {
        (*permuted.weight)[c] = (*drawn.weight)[order[static_cast<std::size_t>(c)]];
      }
    }
    require_within("loss", permuted.loss(), drawn.loss(),
                   sum_of(reference_loss(drawn), reference_loss(permuted)));
    const Array upstream = drawn_upstream(drawn);
    const Array bound = reference_gradient(permuted, upstream).bound;
    require_within("gradient", permuted.gradient(upstream), permute(drawn.gradient(upstream)),
                   doubled(bound));
  });
}

TEST(CrossEntropyProperty, WeightsOfOneEqualTheDefault) {
  holds([] {
    const Case drawn = drawn_cross_entropy({true, false, true, true}, drawn_reduction());
    Case weighted = drawn;
    weighted.weight = Array({drawn.classes()}, 1);
    require_same(weighted, drawn);
  });
}

TEST(CrossEntropyProperty, OneHotProbabilitiesEqualLabels) {
  holds([] {
    // With weights the mean has another divisor, as in PyTorch.
    const Reduction reduction = drawn_reduction();
    const bool weights = reduction != Reduction::mean;
    const Case labels = drawn_cross_entropy({false, weights, true, false}, reduction);
    Case one_hot = labels;
    one_hot.probabilities = Array(labels.shape);
    for (std::int64_t r = 0; r < labels.rows(); ++r) {
      (*one_hot.probabilities)[labels.at(r, labels.labels[static_cast<std::size_t>(r)])] = 1;
    }
    require_same(one_hot, labels);
  });
}

TEST(CrossEntropyProperty, AnIgnoredRowIsAsIfLeftOut) {
  holds([] {
    const Case drawn = flattened(drawn_cross_entropy({false, true, true, true}, drawn_reduction()));
    std::vector<std::int64_t> kept;
    for (std::int64_t r = 0; r < drawn.rows(); ++r) {
      if (!drawn.ignored(r)) kept.push_back(r);
    }
    const Case shorter = picked(drawn, kept);
    const Array upstream = drawn_upstream(drawn);
    const bool none = drawn.reduction == Reduction::none;
    Array shorter_upstream = upstream;
    if (none) {
      shorter_upstream = Array(shorter.row_shape());
      for (std::size_t i = 0; i < kept.size(); ++i) {
        shorter_upstream.data[i] = upstream[kept[i]];
      }
    }
    // The kept rows' numbers where they stood, and exact zeros for the others.
    const auto widened = [&](const Array& x, const Shape& shape) {
      if (!none && shape.rank() < 2) return x;
      Array y(shape);
      const std::int64_t n = shape.elements() / drawn.rows();
      for (std::int64_t i = 0; i < x.size(); ++i) {
        y[kept[static_cast<std::size_t>(i / n)] * n + i % n] = x[i];
      }
      return y;
    };
    require_within("loss", drawn.loss(), widened(shorter.loss(), drawn.result_shape()),
                   doubled(reference_loss(drawn).bound));
    require_within("gradient", drawn.gradient(upstream),
                   widened(shorter.gradient(shorter_upstream), drawn.shape),
                   doubled(reference_gradient(drawn, upstream).bound));
  });
}

TEST(CrossEntropyProperty, FurtherAxesAreMoreRows) {
  holds([] {
    const Case drawn = drawn_cross_entropy(kEveryOption, drawn_reduction());
    const Case flat = flattened(drawn);
    const Array upstream = drawn_upstream(drawn);
    Array flat_upstream = upstream;
    flat_upstream.shape = flat.result_shape();
    Array loss = flat.loss();
    loss.shape = drawn.result_shape();
    require_within("loss", drawn.loss(), loss, doubled(reference_loss(drawn).bound));
    const Array flat_gradient = flat.gradient(flat_upstream);
    Array gradient(drawn.shape);
    for (std::int64_t i = 0; i < gradient.size(); ++i) {
      gradient[drawn.at(i / drawn.classes(), i % drawn.classes())] = flat_gradient[i];
    }
    require_within("gradient", drawn.gradient(upstream), gradient,
                   doubled(reference_gradient(drawn, upstream).bound));
  });
}

TEST(CrossEntropyProperty, TheLossIsLinearInTheProbabilities) {
  holds([] {
    Case drawn = drawn_cross_entropy({false, true, true, false}, drawn_reduction());
    Random random = drawn_random();
    drawn.probabilities = rounded_to_f32({softmax(random.array(drawn.shape), 1, false)})[0];
    const Array upstream = drawn_upstream(drawn);
    const Array gradient = drawn.gradient(upstream, 1);
    // So its gradient does not depend on them, and the losses of two differ by gradient times
    // difference.
    Case other = drawn;
    other.probabilities = rounded_to_f32({random.array(drawn.shape, 0, 1)})[0];
    require_near("gradient for the targets", other.gradient(upstream, 1), gradient, 0);
    const auto weighted = [&](const Array& loss) {
      double sum = 0;
      for (std::int64_t i = 0; i < loss.size(); ++i) sum += upstream[i] * loss[i];
      return sum;
    };
    const auto bound_of = [&](const Case& tested) {
      const Bounded loss = reference_loss(tested);
      double sum = 0;
      for (std::int64_t i = 0; i < loss.bound.size(); ++i) sum += 2 * loss.bound[i];
      return sum;
    };
    double change = 0;
    for (std::int64_t i = 0; i < gradient.size(); ++i) {
      change += gradient[i] * ((*other.probabilities)[i] - (*drawn.probabilities)[i]);
    }
    // The gradient's own errors are those of the loss of either, which its numbers add up to.
    require_near("loss", Array({}, weighted(other.loss()) - weighted(drawn.loss())),
                 Array({}, change), 2 * (bound_of(drawn) + bound_of(other)));
  });
}

}  // namespace
}  // namespace gradmill
