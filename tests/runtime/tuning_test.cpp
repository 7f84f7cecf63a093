#include <gmock/gmock.h>
#include <gradmill/runtime/tuning.h>
#include <gtest/gtest.h>
#include "support/error_of.h"
#include "support/temp_folder.h"

#include <limits>

namespace gradmill {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pointee;

class TuningFile : public testing::Test {
 protected:
  // What is said of a file with this content.
  std::string refusal(const std::string& text) {
    write_text(path_, text);
    std::string message = error_of([&] { Tuning::load(path_); });
    EXPECT_THAT(message, HasSubstr(path_));
    return message;
  }

  TempFolder folder_;
  std::string path_ = folder_ / "tuning.json";
};

TEST_F(TuningFile, ReadsWhatWasWritten) {
  Tuning tuning;
  tuning.set("matmul f32 1x2x3", {1, 2, 3, 0});
  tuning.set("a \"quoted\" key\n", {});
  tuning.set("extremes", {std::numeric_limits<std::int64_t>::min(),
                          std::numeric_limits<std::int64_t>::max(), -1});
  tuning.save(path_);
  const Tuning loaded = Tuning::load(path_);
  EXPECT_EQ(loaded.entries(), tuning.entries());
  EXPECT_THAT(loaded.find("matmul f32 1x2x3"), Pointee(ElementsAre(1, 2, 3, 0)));
  EXPECT_EQ(loaded.find("matmul f32 1x2x4"), nullptr);
  EXPECT_EQ(folder_.files(), 1) << "nothing is left beside it";
}

TEST_F(TuningFile, MayBeEmpty) {
  Tuning().save(path_);
  EXPECT_TRUE(Tuning::load(path_).entries().empty());
}

TEST_F(TuningFile, TheSameTuningIsTheSameFile) {
  Tuning one, other;
  one.set("a", {1});
  one.set("b", {2});
  other.set("b", {3});
  other.set("a", {1});
  other.set("b", {2});
  one.save(path_);
  other.save(folder_ / "other.json");
  EXPECT_EQ(read_text(path_), read_text(folder_ / "other.json"));
}

TEST_F(TuningFile, ReplacesTheOneBefore) {
  write_text(path_, "before");
  Tuning tuning;
  tuning.set("a", {1});
  tuning.save(path_);
  EXPECT_EQ(Tuning::load(path_).entries(), tuning.entries());
}

TEST_F(TuningFile, WhatCannotBeWrittenIsAFailureThatNamesThePath) {
  const std::string nowhere = folder_ / "no/such/folder/tuning.json";
  EXPECT_THAT(error_of<Failure>([&] { Tuning().save(nowhere); }), HasSubstr(nowhere));
}

TEST_F(TuningFile, RefusesAMissingFile) {
  EXPECT_THAT(error_of([&] { Tuning::load(path_); }),
              AllOf(HasSubstr(path_), HasSubstr("No such file")));
}

TEST_F(TuningFile, RefusesWhatIsNoTuning) {
  for (const char* text :
       {"", "not JSON", "{\"gradmill_tuning\": 1, \"kernels\": {}", "[]", "null", "7", "{}",
        R"({"kernels": {}})", R"({"gradmill_tuning": 1})",
        R"({"gradmill_tuning": 1, "kernels": []})", R"({"gradmill_tuning": 1, "kernels": 3})"}) {
    EXPECT_THAT(refusal(text), HasSubstr("is no tuning file")) << text;
  }
}

TEST_F(TuningFile, RefusesAnotherVersion) {
  for (const char* version : {"2", "0", "\"1\"", "null", "[1]"}) {
    EXPECT_THAT(refusal(cat(R"({"gradmill_tuning": )", version, R"(, "kernels": {}})")),
                HasSubstr("another version than 1"))
        << version;
  }
}

TEST_F(TuningFile, RefusesChoicesThatAreNoWholeNumbers) {
  for (const char* choice : {"3", "null", "{}", "[1, 2.5]", "[\"1\"]", "[[1]]", "[true]", "[1e300]",
                             "[18446744073709551615]"}) {
    EXPECT_THAT(
        refusal(cat(R"({"gradmill_tuning": 1, "kernels": {"good": [1], "bad": )", choice, "}}")),
        AllOf(HasSubstr("'bad'"), HasSubstr("not a list of whole numbers")))
        << choice;
  }
}

}  // namespace
}  // namespace gradmill
