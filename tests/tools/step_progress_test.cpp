#include "step_progress.h"

#include <gtest/gtest.h>

#include <string>

#include "terminal.h"

namespace gradmill {
namespace {

constexpr StepCount kCount = {
    .done = 30, .all = 120, .first = 10, .tokens_per_step = 64, .planned_bytes = 3 << 20};

TEST(StepLine, SaysWhatThereIsToKnow) {
  // 20 steps of 64 tokens in 8 seconds are 160 a second; 90 more take 36.
  EXPECT_EQ(step_line(kCount, 1.23456, 8, 100),
            "step 30/120 [#######.......................]"
            "  loss 1.2346  160 tokens/s  3 MiB  0:36 left");
}

TEST(StepLine, RoundsTheTimeUp) {
  StepCount count = kCount;
  count.all = 1000;
  EXPECT_NE(step_line(count, 1, 8, 100).find("  6:28 left"), std::string::npos);
  EXPECT_NE(step_line(count, 1, 8.01, 100).find("  6:29 left"), std::string::npos);
  count.done = count.all;
  EXPECT_NE(step_line(count, 1, 8, 100).find("  0:00 left"), std::string::npos);
}

TEST(StepLine, KnowsNoSpeedBeforeTheFirstStep) {
  StepCount count = kCount;
  count.done = count.first;
  EXPECT_NE(step_line(count, 1, 8, 100).find("  0 tokens/s  3 MiB  0:00 left"), std::string::npos);
  EXPECT_NE(step_line(kCount, 1, 0, 100).find("  0 tokens/s  3 MiB  0:00 left"), std::string::npos);
}

TEST(StepLine, FitsIntoAnyWidth) {
  const std::string whole = step_line(kCount, 1, 8, 200);
  for (int columns = 0; columns < 130; ++columns) {
    const std::string line = step_line(kCount, 1, 8, columns);
    EXPECT_LT(static_cast<int>(line.size()), std::max(columns, 1)) << columns;
    if (line.find('[') == std::string::npos) {
      EXPECT_EQ(line, ("step 30/120   loss 1.0000  160 tokens/s  3 MiB  0:36 left" + std::string())
                          .substr(0, line.size()));
    } else {
      EXPECT_TRUE(line.ends_with("0:36 left")) << line;
    }
  }
  EXPECT_EQ(step_line(kCount, 1, 8, 1000), whole);  // a bar has a largest size
}

TEST(WithBar, FillsAsMuchAsIsDone) {
  EXPECT_EQ(with_bar("a ", 0, " b", 17), "a [..........] b");
  EXPECT_EQ(with_bar("a ", 0.5, " b", 17), "a [#####.....] b");
  EXPECT_EQ(with_bar("a ", 0.99, " b", 17), "a [#########.] b");
  EXPECT_EQ(with_bar("a ", 1, " b", 17), "a [##########] b");
  EXPECT_EQ(with_bar("", 1, "", 1000), "[" + std::string(30, '#') + "]");
}

TEST(WithBar, LeavesTheBarOutWhereThereIsNoRoom) {
  EXPECT_EQ(with_bar("a ", 0.5, " b", 11), "a [##..] b");
  EXPECT_EQ(with_bar("a ", 0.5, " b", 10), "a  b");
  EXPECT_EQ(with_bar("a ", 0.5, " b", 4), "a  ");
  EXPECT_EQ(with_bar("a ", 0.5, " b", 1), "");
  EXPECT_EQ(with_bar("a ", 0.5, " b", 0), "");
  EXPECT_EQ(with_bar("a ", 0.5, " b", -5), "");
}

}  // namespace
}  // namespace gradmill
