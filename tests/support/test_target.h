#pragma once

#include <hwy/highway.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace gradmill {

/// GRADMILL_TEST_TARGET, when set, takes the newer instruction sets away from the vector kernels
/// and from oneDNN, and with them what is chosen where they are: "avx2" leaves AVX2, "baseline"
/// what every x86-64 processor has (for oneDNN the oldest that it knows, SSE4.1). To be called
/// before oneDNN is used. Ends the program with 2 when it is neither, and with 77, which CTest
/// reports as skipped, when the processor has nothing newer to take away: the tests run on that
/// anyway.
inline void limit_test_target() {
  const char* name = std::getenv("GRADMILL_TEST_TARGET");
  if (name == nullptr) return;
  const std::string_view target = name;
  if (target != "avx2" && target != "baseline") {
    std::fprintf(stderr, "GRADMILL_TEST_TARGET: avx2 or baseline, not '%s'\n", name);
    std::exit(2);
  }
  const std::int64_t avx512 = HWY_AVX3 | HWY_AVX3_DL;
  const std::int64_t newer = target == "avx2" ? avx512 : avx512 | HWY_AVX2 | HWY_SSE4 | HWY_SSSE3;
  if ((hwy::SupportedTargets() & newer) == 0) {
    std::printf("this processor has nothing newer than %s\n", name);
    std::exit(77);
  }
  hwy::DisableTargets(newer);
  constexpr int kKeep = 0;
  setenv("DNNL_MAX_CPU_ISA", target == "avx2" ? "AVX2" : "SSE41", kKeep);
}

}  // namespace gradmill
