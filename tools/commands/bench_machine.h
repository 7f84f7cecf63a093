#pragma once

#include <string>

namespace gradmill {

/// The machine that everything was measured on.
struct Machine {
  std::string processor;     ///< as /proc/cpuinfo names it
  std::string instructions;  ///< "AVX-512", "AVX2" or "x86-64"
  int cores = 1;             ///< that this process may use
};

Machine this_machine();

/// "AMD EPYC (AVX2), 2 cores".
std::string to_string(const Machine& machine);

}  // namespace gradmill
