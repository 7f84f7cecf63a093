#include <gtest/gtest.h>

#include <cstdlib>

#include "support/test_target.h"

// RapidCheck takes its seed from the environment; with none there, always the same one.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!gradmill::limit_test_target()) return 2;
  constexpr int kKeep = 0;
#ifdef __SANITIZE_THREAD__
  const char* parameters =
      "seed=20 max_success=25";  // threads meet in the same way whatever is drawn
#else
  const char* parameters = "seed=20 max_success=100";
#endif
  setenv("RC_PARAMS", parameters, kKeep);
  return RUN_ALL_TESTS();
}
