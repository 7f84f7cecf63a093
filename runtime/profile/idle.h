#pragma once

#include <array>

#include <gradmill/runtime/profile_result.h>

namespace gradmill {

/// Nanoseconds of all workers together, from the start to the end of every run that succeeded, by
/// what they were spent on.
GRADMILL_API std::array<double, kSpentKinds> time_spent(const Trace& trace);

}  // namespace gradmill
