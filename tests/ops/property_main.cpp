#include <gtest/gtest.h>

#include <cstdlib>

#include "support/test_target.h"

// RapidCheck takes its seed from the environment; with none there, always the same one.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gradmill::limit_test_target();
  constexpr int kKeep = 0;
  setenv("RC_PARAMS", "seed=20 max_success=100", kKeep);
  return RUN_ALL_TESTS();
}
