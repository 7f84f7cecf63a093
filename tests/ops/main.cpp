#include <gtest/gtest.h>

#include "support/test_target.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!gradmill::limit_test_target()) return 2;
  return RUN_ALL_TESTS();
}
