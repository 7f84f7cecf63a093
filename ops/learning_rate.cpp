#include <gradmill/ops/learning_rate.h>

#include <cmath>
#include <numbers>

#include <gradmill/runtime/error.h>

namespace gradmill {

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
  const double left = decay == Decay::linear ? 1 - t : (1 + std::cos(std::numbers::pi * t)) / 2;
  return minimum + (peak - minimum) * left;
}

}  // namespace gradmill
