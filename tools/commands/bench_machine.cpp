#include "commands/bench_machine.h"

#include <fstream>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/threads/cpus.h>

namespace gradmill {
namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown processor";
}

std::string instructions() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") != 0) return "AVX-512";
  if (__builtin_cpu_supports("avx2") != 0) return "AVX2";
  return "x86-64";
#else
  return "unknown instruction set";
#endif
}

}  // namespace

Machine this_machine() { return {processor(), instructions(), allowed_cpus()}; }

std::string to_string(const Machine& machine) {
  return cat(machine.processor, " (", machine.instructions, "), ", machine.cores,
             machine.cores == 1 ? " core" : " cores");
}

}  // namespace gradmill
