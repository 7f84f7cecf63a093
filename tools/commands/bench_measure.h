#pragma once

#include <string>

namespace gradmill {

/// Measures a workload's steps in this process for `seconds`, and prints one line of JSON.
/// `threads` at least 1; `tuning` is a file's path, empty for none. Throws Error for an unknown
/// workload, and for a tuning that cannot be read or does not fit.
int measure_workload(const std::string& name, int threads, double seconds,
                     const std::string& tuning);

/// The same for the machine's limit of the workload.
int measure_workload_limit(const std::string& name, int threads, double seconds);

}  // namespace gradmill
