#pragma once

#include <string>

namespace gradmill {

/// Measures a workload's steps in this process for `seconds`, and prints one line of JSON.
/// `threads` at least 1. Throws Error for an unknown workload.
int measure_workload(const std::string& name, int threads, double seconds);

/// The same for the machine's limit of the workload.
int measure_workload_limit(const std::string& name, int threads, double seconds);

}  // namespace gradmill
