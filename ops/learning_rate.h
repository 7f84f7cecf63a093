#pragma once

#include <cstdint>

#include <gradmill/runtime/export.h>

namespace gradmill {

/// A learning rate for each step, for `Session::set_learning_rate`: nothing is compiled again.
///
///   Schedule schedule{.peak = 1e-3, .warmup_steps = 100, .decay = Decay::cosine,
///                     .total_steps = 2000, .minimum = 1e-4};
///   session.set_learning_rate(schedule.at(step));
struct Schedule {
  enum class Decay : std::uint8_t {
    constant,  ///< `peak` after the warm-up
    linear,    ///< from `peak` to `minimum` in a straight line
    cosine,    ///< along half a cosine: I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, one period
  };

  double peak = 1e-3;
  std::int64_t warmup_steps = 0;  ///< step s of the warm-up has peak (s + 1) / warmup_steps
  Decay decay = Decay::constant;
  std::int64_t total_steps = 0;  ///< where `minimum` is reached; needed by all but `constant`
  double minimum = 0;

  /// Of step `step`, counted from 0: with w warm-up steps and t = (step - w) / (total - w),
  /// minimum + (peak - minimum) f(t), f being 1, 1 - t or (1 + cos(pi t)) / 2; `minimum` after
  /// `total_steps`. Throws Error for a negative step, rates that are negative or not finite, a
  /// minimum above the peak, and total_steps that are not above warmup_steps where they are needed.
  GRADMILL_API double at(std::int64_t step) const;
};

}  // namespace gradmill
