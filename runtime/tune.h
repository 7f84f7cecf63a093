#pragma once

#include <functional>
#include <string>

#include <gradmill/runtime/plan.h>
#include <gradmill/runtime/tuning.h>

namespace gradmill {

struct TuneOptions {
  /// How long each choice is measured at least, in seconds, unless another is clearly better.
  double seconds = 0.02;
  /// Choices that save less than this fraction leave a kernel as it is.
  double least_gain = 0.02;
};

/// What became of one kernel.
struct TunedKernel {
  std::string key;
  std::string before;  ///< the kernel's description
  std::string after;   ///< the best one's, the same where nothing was gained
  double before_ms = 0;
  double after_ms = 0;
};

/// Times the choices of every kernel of `plan` that has some, each tile after the other on the
/// calling thread, on memory of its own, and returns the best of each. The plan is left as it is.
/// `report` is told of each kernel as it is done. Throws Failure when memory is short.
GRADMILL_API Tuning tune(const Plan& plan, const TuneOptions& options = {},
                         const std::function<void(const TunedKernel&)>& report = {});

}  // namespace gradmill
