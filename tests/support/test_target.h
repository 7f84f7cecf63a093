#pragma once

#include <hwy/highway.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace gradmill {

/// GRADMILL_TEST_TARGET, when set, takes the newer instruction sets away from the vector kernels:
/// "avx2" leaves AVX2, "baseline" what every x86-64 processor has. Returns whether it is one of
/// these, or unset.
inline bool limit_test_target() {
  const char* name = std::getenv("GRADMILL_TEST_TARGET");
  if (name == nullptr) return true;
  const std::string_view target = name;
  if (target != "avx2" && target != "baseline") {
    std::fprintf(stderr, "GRADMILL_TEST_TARGET: avx2 or baseline, not '%s'\n", name);
    return false;
  }
  const std::int64_t avx512 = HWY_AVX3 | HWY_AVX3_DL;
  hwy::DisableTargets(target == "avx2" ? avx512 : avx512 | HWY_AVX2 | HWY_SSE4 | HWY_SSSE3);
  return true;
}

}  // namespace gradmill
