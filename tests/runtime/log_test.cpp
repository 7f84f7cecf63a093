#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>

namespace gradmill {
namespace {

using testing::HasSubstr;
using testing::Not;

// What the probe writes to the given stream; fails the test when its exit status is not 0.
std::string probe(const std::string& environment, const std::string& mode, bool errors) {
  const std::string command = "env " + environment + " '" + LOG_PROBE + "' " + mode +
                              (errors ? " 2>&1 >/dev/null" : " 2>/dev/null");
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "popen failed";
  std::string output;
  std::array<char, 4096> buffer;
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), count);
  }
  EXPECT_EQ(pclose(pipe), 0) << output;
  return output;
}

TEST(Log, WarnsOnStderrByDefault) {
  const std::string text = probe("-u GRADMILL_LOG", "", true);
  EXPECT_THAT(text, HasSubstr("gradmill warning: at warn\n"));
  EXPECT_THAT(text, HasSubstr("gradmill error: at error\n"));
  EXPECT_THAT(text, Not(HasSubstr("at info")));
  EXPECT_THAT(text, Not(HasSubstr("at off")));
  EXPECT_EQ(probe("-u GRADMILL_LOG", "", false), "000110\n");
}

TEST(Log, TakesItsLevelFromTheEnvironment) {
  EXPECT_EQ(probe("GRADMILL_LOG=trace", "", false), "111110\n");
  EXPECT_THAT(probe("GRADMILL_LOG=debug", "", true), HasSubstr("debug: at debug {} %s\n"));
  EXPECT_EQ(probe("GRADMILL_LOG=error", "", false), "000010\n");
  EXPECT_EQ(probe("GRADMILL_LOG=off", "", true), "");
  EXPECT_EQ(probe("GRADMILL_LOG=", "", false), "000110\n");
}

TEST(Log, WarnsOnceAboutAnUnknownLevel) {
  const std::string text = probe("GRADMILL_LOG=loud", "", true);
  const std::string warning =
      "GRADMILL_LOG='loud' is not one of trace, debug, info, warn, error, off; warn is used\n";
  EXPECT_THAT(text, HasSubstr(warning));
  EXPECT_EQ(text.find(warning), text.rfind(warning));
  EXPECT_THAT(text, HasSubstr("at warn"));
}

TEST(Log, GoesToTheLoggerOfTheProgram) {
  EXPECT_EQ(probe("GRADMILL_LOG=off", "own", false),
            "011110\nown debug at debug {} %s\nown info at info\nown warning at warn\n"
            "own error at error\n");
  EXPECT_EQ(probe("GRADMILL_LOG=trace", "own", true), "");
}

TEST(Log, SetLevelWins) { EXPECT_EQ(probe("GRADMILL_LOG=trace", "level", false), "000010\n"); }

}  // namespace
}  // namespace gradmill
