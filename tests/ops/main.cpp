#include <gtest/gtest.h>

#include "support/test_target.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gradmill::limit_test_target();
  return RUN_ALL_TESTS();
}
