#include <gradmill/graph/gradcheck/tensor_check.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <gradmill/runtime/support/index.h>
#include <gradmill/runtime/support/random.h>

namespace gradmill {
namespace {

// Philox streams of one tensor are apart from each other, and from those of parameters, which are
// hashes of names.
constexpr std::uint64_t kSamples = 0;
constexpr std::uint64_t kDirection = 1;
constexpr std::uint64_t kStreams = 2;

// Halves that a failing direction may be cut into, so that one with a kink everywhere ends.
constexpr int kMaxHalves = 512;

// Below that, relative to the element, rounding leaves nothing of the difference.
constexpr double kSmallestStep = 1e-10;

double power_of_two_near(double value) { return std::exp2(std::round(std::log2(value))); }

double scale_of(double x) { return std::max(1.0, std::abs(x)); }

}  // namespace

TensorCheck::TensorCheck(GradcheckTensor& tensor, std::span<double> x,
                         std::span<const double> gradient, SlopeProbe& probe,
                         const TensorCheckOptions& options)
    : tensor_(tensor),
      x_(x),
      gradient_(gradient),
      probe_(probe),
      options_(options),
      seen_(x.size(), false) {}

void TensorCheck::all() {
  for (std::size_t i = 0; i < x_.size(); ++i) compare_element(static_cast<std::int64_t>(i));
}

void TensorCheck::sampled(std::size_t number) {
  const auto count = static_cast<std::int64_t>(x_.size());
  if (count <= options_.samples) {
    all();
    return;
  }
  const std::uint64_t stream = number * kStreams;
  const Philox samples(options_.seed, stream + kSamples);
  for (std::uint64_t draw = 0; tensor_.checked < options_.samples; ++draw) {
    const auto element =
        static_cast<std::int64_t>(samples.bits(draw) % static_cast<std::uint64_t>(count));
    if (!seen_[static_cast<std::size_t>(element)]) compare_element(element);
  }

  const Philox random(options_.seed, stream + kDirection);
  direction_.resize(x_.size());
  for (std::size_t i = 0; i < x_.size(); ++i) {
    // The size has no two elements' errors cancel each other.
    const double drawn = 2 * random.uniform(i) - 1;
    direction_[i] = (drawn < 0 ? drawn - 0.5 : drawn + 0.5) * scale_of(x_[i]);
  }
  const Comparison whole = compare_range(0, count);
  tensor_.direction = {0, count, whole.slope};
  budget_ = kMaxHalves;
  if (!whole.slope.ok() && !fails_within(0, count, whole)) {
    tensor_.direction->slope.verdict = GradcheckVerdict::kink;
  }
}

Comparison TensorCheck::compare_element(std::int64_t element) {
  const auto i = static_cast<std::size_t>(element);
  const double one = 1;
  const double scale = scale_of(x_[i]);
  const Comparison comparison =
      probe_.compare({x_.subspan(i, 1), std::span(&one, 1), gradient_.subspan(i, 1),
                      power_of_two_near(options_.eps * scale), kSmallestStep * scale},
                     options_.atol, options_.rtol);
  note(comparison.slope);
  if (seen_[i]) return comparison;
  seen_[i] = true;
  ++tensor_.checked;
  const GradcheckSlope& slope = comparison.slope;
  if (slope.verdict == GradcheckVerdict::kink) ++tensor_.kinks;
  if (!tensor_.worst || slope.severity() > tensor_.worst->slope.severity()) {
    tensor_.worst = {element, unravel_index(element, tensor_.type.shape), slope};
  }
  return comparison;
}

Comparison TensorCheck::compare_range(std::int64_t begin, std::int64_t end) {
  if (end - begin == 1) return compare_element(begin);
  const auto first = static_cast<std::size_t>(begin);
  const auto count = static_cast<std::size_t>(end - begin);
  const Comparison comparison = probe_.compare(
      {x_.subspan(first, count), std::span(direction_).subspan(first, count),
       gradient_.subspan(first, count), power_of_two_near(options_.eps), kSmallestStep},
      options_.atol, options_.rtol);
  note(comparison.slope);
  return comparison;
}

void TensorCheck::note(const GradcheckSlope& slope) {
  if (slope.verdict != GradcheckVerdict::fine) return;
  const double size = std::max(std::abs(slope.analytic), std::abs(slope.numeric));
  tensor_.seen = tensor_.seen || size > slope.tolerance;
}

// Narrows down a range that fails. False when each part of it is fine by itself and the whole has a
// kink: several kinks together may put the gradient outside of the slopes.
bool TensorCheck::fails_within(std::int64_t begin, std::int64_t end, const Comparison& comparison) {
  tensor_.direction = {begin, end, comparison.slope};
  if (end - begin == 1) return true;
  const std::int64_t middle = begin + (end - begin) / 2;
  for (const auto& [from, to] : {std::pair(begin, middle), std::pair(middle, end)}) {
    if (budget_-- <= 0) return true;
    const Comparison half = compare_range(from, to);
    if (!half.slope.ok() && fails_within(from, to, half)) return true;
  }
  tensor_.direction = {begin, end, comparison.slope};
  return !comparison.sided;
}

}  // namespace gradmill
