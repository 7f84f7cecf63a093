#include <gradmill/ops/learning_rate.h>

#include <cmath>
#include <numbers>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

// How much is left at t, from 1 at t = 0 to 0 at t = 1.
double fraction_left(Schedule::Decay decay, double t) {
  switch (decay) {
    case Schedule::Decay::constant: return 1;
    case Schedule::Decay::linear: return 1 - t;
    case Schedule::Decay::cosine: return (1 + std::cos(std::numbers::pi * t)) / 2;
  }
  fail("schedule: ", static_cast<int>(decay), " is no decay");
}

}  // namespace

double Schedule::at(std::int64_t step) const {
  check(step >= 0, "schedule: a step is at least 0, got ", step);
  check(std::isfinite(peak) && peak >= 0, "schedule: the peak must be finite and at least 0, got ",
        peak);
  check(std::isfinite(minimum) && minimum >= 0 && minimum <= peak,
        "schedule: the minimum must be in [0, ", peak, "], got ", minimum);
  check(warmup_steps >= 0, "schedule: warmup_steps must be at least 0, got ", warmup_steps);
  check(decay == Decay::constant || total_steps > warmup_steps,
        "schedule: total_steps must be above the ", warmup_steps, " of the warm-up, got ",
        total_steps);
  if (step < warmup_steps) {
    return peak * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  }
  if (decay == Decay::constant) return peak;
  if (step >= total_steps) return minimum;
  const double t =
      static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
  return minimum + (peak - minimum) * fraction_left(decay, t);
}

}  // namespace gradmill
