#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

// GRADMILL_TEST_TARGET, when set, takes the newer instruction sets away from the vector kernels:
// "avx2" leaves AVX2, "baseline" what every x86-64 processor has.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (const char* name = std::getenv("GRADMILL_TEST_TARGET")) {
    const std::string_view target = name;
    if (target != "avx2" && target != "baseline") {
      std::fprintf(stderr, "GRADMILL_TEST_TARGET: avx2 or baseline, not '%s'\n", name);
      return 2;
    }
    const std::int64_t avx512 = HWY_AVX3 | HWY_AVX3_DL;
    hwy::DisableTargets(target == "avx2" ? avx512 : avx512 | HWY_AVX2 | HWY_SSE4 | HWY_SSSE3);
  }
  return RUN_ALL_TESTS();
}
