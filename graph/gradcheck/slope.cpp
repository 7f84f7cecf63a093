#include <gradmill/graph/gradcheck/slope.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace gradmill {

struct SlopeProbe::Quotients {
  double left = 0;
  double right = 0;
  double central = 0;
  double analytic = 0;
  double tolerance = 0;

  bool finite() const { return std::isfinite(left) && std::isfinite(right); }
  bool fits(double slope) const { return std::abs(analytic - slope) <= tolerance; }
  bool same(const Quotients& other) const {
    return std::abs(central - other.central) <= tolerance + other.tolerance;
  }
};

namespace {

// How much smaller each step is than the one before.
constexpr double kShrink = 16;

// What a slope may still change from one step to the next, as a part of the larger side's: a
// jump makes it grow sixteenfold.
constexpr double kSettled = 0.1;

}  // namespace

SlopeProbe::SlopeProbe(Session& session, Value y, std::span<const Feed> feeds,
                       std::span<const double> weights)
    : session_(session), y_(y), feeds_(feeds), weights_(weights) {
  session_.run(feeds_);
  const auto values = session_.view(y_).as<double>();
  center_.assign(values.begin(), values.end());
  session_.run(feeds_);
  repeats_ = std::memcmp(center_.data(), session_.view(y_).data, values.size_bytes()) == 0;
  for (std::size_t i = 0; i < center_.size(); ++i) {
    norm_ = std::hypot(norm_, weights_[i] * center_[i]);
  }
}

void SlopeProbe::run_at(const Line& line, double h, std::vector<double>& y) {
  for (std::size_t i = 0; i < line.x.size(); ++i) line.x[i] = saved_[i] + h * line.direction[i];
  session_.run(feeds_);
  const auto values = session_.view(y_).as<double>();
  y.assign(values.begin(), values.end());
}

SlopeProbe::Quotients SlopeProbe::quotients(const Line& line, double h, double atol, double rtol) {
  saved_.assign(line.x.begin(), line.x.end());
  run_at(line, h, plus_);
  run_at(line, -h, minus_);
  Quotients result;
  for (std::size_t i = 0; i < saved_.size(); ++i) {
    line.x[i] = saved_[i];
    // What the element really moved by, rounding included.
    const double d = h * line.direction[i];
    const double moved = ((saved_[i] + d) - (saved_[i] - d)) / 2;
    result.analytic += line.gradient[i] * moved;
  }
  for (std::size_t i = 0; i < center_.size(); ++i) {
    result.right += weights_[i] * (plus_[i] - center_[i]);
    result.left += weights_[i] * (center_[i] - minus_[i]);
    result.central += weights_[i] * (plus_[i] - minus_[i]);
  }
  result.right /= h;
  result.left /= h;
  result.central /= 2 * h;
  result.analytic /= h;
  result.tolerance = 0x1p-51 * norm_ / h + atol + rtol * std::abs(result.central);
  return result;
}

// Whether the slopes of the two sides tend to different limits, and how far `now` is from them.
bool SlopeProbe::two_sided(const Quotients& before, const Quotients& now, double& slack) {
  const double left = std::abs(now.left - before.left);
  const double right = std::abs(now.right - before.right);
  slack = now.tolerance + std::max(left, right);
  const double settled =
      now.tolerance + kSettled * std::max(std::abs(now.left), std::abs(now.right));
  return left <= settled && right <= settled &&
         std::abs(now.left - now.right) > 2 * (now.tolerance + left + right);
}

// Whether two steps are enough to say that the gradient, which fits neither, is not the slope. One
// that fits a side may have a kink within the step beside it.
bool SlopeProbe::settled(const Quotients& larger, const Quotients& now) {
  return now.same(larger) && !larger.fits(larger.central) && !now.fits(now.left) &&
         !now.fits(now.right);
}

Comparison SlopeProbe::compare(const Line& line, double atol, double rtol) {
  Comparison result;
  GradcheckSlope& slope = result.slope;
  if (!std::ranges::all_of(line.x, [](double x) { return std::isfinite(x); })) {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    slope = {line.gradient.front(), kNone, kNone, kNone, GradcheckVerdict::not_finite};
    return result;
  }
  Quotients before;
  bool last = false;
  for (double h = line.step; !last; h /= kShrink) {
    last = h != line.step && h / kShrink < line.smallest;
    const Quotients now = quotients(line, h, atol, rtol);
    slope = {now.analytic, now.central, std::abs(now.analytic - now.central), now.tolerance,
             GradcheckVerdict::fine};
    if (now.finite() && now.fits(now.central)) return result;
    slope.verdict = GradcheckVerdict::not_finite;
    if (!std::isfinite(now.analytic)) return result;
    const bool first = h == line.step;
    // The rounding of smaller steps would excuse what these two show.
    if (first && now.finite()) before = quotients(line, kShrink * h, atol, rtol);
    const bool compared = now.finite() && before.finite();
    const bool same = compared && (first ? settled(before, now) : now.same(before));
    if (compared && (same || last)) {
      double slack = 0;
      result.sided = two_sided(before, now, slack);
      const auto [low, high] = std::minmax(now.left, now.right);
      const bool between = low - slack <= now.analytic && now.analytic <= high + slack;
      slope.verdict = result.sided && between ? GradcheckVerdict::kink
                      : result.sided          ? GradcheckVerdict::outside
                      : same                  ? GradcheckVerdict::wrong
                                              : GradcheckVerdict::not_smooth;
      return result;
    }
    before = now;
  }
  return result;
}

}  // namespace gradmill
