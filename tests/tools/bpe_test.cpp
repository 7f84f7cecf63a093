#include "text/bpe.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/error_of.h"
#include "support/temp_folder.h"
#include "text/words.h"

namespace gradmill {
namespace {

using Ids = std::vector<std::int64_t>;

std::string stored(const std::string& name) { return std::string(TEST_DATA "/bpe/") + name; }

const BytePairEncoding& small() {
  static const BytePairEncoding bpe(stored("vocab.json"), stored("merges.txt"));
  return bpe;
}

/// Changed copies of the stored files.
class Files : public testing::Test {
 protected:
  nlohmann::json vocab = nlohmann::json::parse(read_text(stored("vocab.json")));
  std::string merges = read_text(stored("merges.txt"));

  std::string refused() const {
    write_text(folder_ / "vocab.json", vocab.dump());
    return refused_as_written();
  }
  std::string refused_as_written() const {
    write_text(folder_ / "merges.txt", merges);
    return error_of([&] { BytePairEncoding(folder_ / "vocab.json", folder_ / "merges.txt"); });
  }
  std::string message(const std::string& file, const std::string& what) const {
    return (folder_ / file) + ": " + what;
  }

  TempFolder folder_;
};

TEST(BytePairEncoding, EncodesAsOthersDo) {
  const auto cases = nlohmann::json::parse(read_text(stored("cases.json")));
  ASSERT_GT(cases.size(), 20U);
  for (const auto& tested : cases) {
    const auto text = tested.at("text").get<std::string>();
    SCOPED_TRACE(text);
    EXPECT_EQ(small().encode(text), tested.at("ids").get<Ids>());
    EXPECT_EQ(small().decode(small().encode(text)), text);
  }
}

TEST(BytePairEncoding, OfNothingIsNothing) {
  EXPECT_EQ(small().encode(""), Ids{});
  EXPECT_EQ(small().decode({}), "");
}

TEST(BytePairEncoding, LongWordsTakeNoSquareOfTime) {
  const std::string word(1'000'000, 'e');
  const Ids ids = small().encode(word);
  EXPECT_EQ(small().decode(ids), word);
  const std::string blanks = std::string(1'000'000, ' ') + "x";
  EXPECT_EQ(small().decode(small().encode(blanks)), blanks);
}

TEST(BytePairEncoding, DecodesPartsOfCharacters) {
  const Ids ids = small().encode("\u6c34");
  ASSERT_GT(ids.size(), 0U);
  std::string bytes;
  for (const std::int64_t id : ids) bytes += small().decode(std::vector{id});
  EXPECT_EQ(bytes, "\u6c34");
}

TEST(BytePairEncoding, DecodesSpecialPieces) {
  const Ids last = {small().size() - 1};
  EXPECT_EQ(small().decode(last), "<|endoftext|>");
}

TEST(BytePairEncoding, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(error_of([] {
              small().encode(
                  "ab\xff"
                  "c");
            }),
            "the text is not UTF-8: byte 0xff at offset 2");
  EXPECT_EQ(error_of([] { small().encode("\xc3"); }),
            "the text is not UTF-8: byte 0xc3 at offset 0");
  EXPECT_EQ(error_of([] { small().encode("a \xed\xa0\x80"); }),  // a surrogate
            "the text is not UTF-8: byte 0xed at offset 2");
}

TEST(BytePairEncoding, RefusesUnknownIds) {
  const Ids above = {0, small().size()};
  EXPECT_EQ(error_of([&] { small().decode(above); }),
            "no piece has id " + std::to_string(small().size()) + ", ids are 0 to " +
                std::to_string(small().size() - 1));
  const Ids below = {-1};
  EXPECT_NE(error_of([&] { small().decode(below); }).find("no piece has id -1"), std::string::npos);
}

TEST_F(Files, AreReadAsStored) { EXPECT_EQ(refused(), "(nothing was thrown)"); }

TEST_F(Files, MayHaveOtherLineEndsAndNoVersion) {
  merges = merges.substr(merges.find('\n') + 1);
  for (std::size_t at = 0; (at = merges.find('\n', at)) != std::string::npos; at += 2) {
    merges.replace(at, 1, "\r\n");
  }
  EXPECT_EQ(refused(), "(nothing was thrown)");
  const BytePairEncoding bpe(folder_ / "vocab.json", folder_ / "merges.txt");
  EXPECT_EQ(bpe.encode("The miller"), small().encode("The miller"));
}

TEST_F(Files, AreRefusedWhenMissing) {
  EXPECT_EQ(error_of([&] { BytePairEncoding(folder_ / "none.json", stored("merges.txt")); }),
            message("none.json", "No such file or directory"));
  EXPECT_EQ(error_of([&] { BytePairEncoding(stored("vocab.json"), folder_ / "none.txt"); }),
            message("none.txt", "No such file or directory"));
  EXPECT_EQ(error_of([&] { BytePairEncoding(stored("vocab.json"), folder_.path().string()); }),
            folder_.path().string() + ": is a folder, not a file");
}

TEST_F(Files, AreRefusedWhenNotJson) {
  write_text(folder_ / "vocab.json", "{\"a\": 0,");
  EXPECT_EQ(refused_as_written().find(message("vocab.json", "not JSON: ")), 0U);
  vocab = nlohmann::json::array({1, 2});
  EXPECT_EQ(refused(), message("vocab.json", "not an object from piece to id"));
}

TEST_F(Files, AreRefusedWhenIdsAreNotDense) {
  vocab["<|endoftext|>"] = 100000;
  EXPECT_EQ(
      refused().find(message("vocab.json", "'<|endoftext|>' has id 100000, and ids must be 0")),
      0U);
  vocab["<|endoftext|>"] = 0;
  EXPECT_NE(refused().find("has id 0, like another piece"), std::string::npos);
  vocab["<|endoftext|>"] = 1.5;
  EXPECT_EQ(refused(), message("vocab.json", "the id of '<|endoftext|>' is not a whole number"));
  vocab["<|endoftext|>"] = -1;
  EXPECT_EQ(refused(), message("vocab.json", "the id of '<|endoftext|>' is not a whole number"));
}

TEST_F(Files, AreRefusedWithoutAByte) {
  vocab["~~"] = vocab["~"];
  vocab.erase("~");
  EXPECT_EQ(refused(), message("vocab.json", "no piece for byte 126"));
}

TEST_F(Files, AreRefusedWhenMergesDoNotFit) {
  const std::string first = merges;
  merges = "~ ~\n" + first.substr(first.find('\n') + 1);
  EXPECT_EQ(refused(), message("merges.txt", "line 1 '~ ~': the vocabulary has no '~~'"));
  merges = "#version: 0.2\nabc\n";
  EXPECT_EQ(refused(),
            message("merges.txt", "line 2 'abc' is not two pieces with a space between"));
  merges = "a b c\n";
  EXPECT_NE(refused().find("is not two pieces"), std::string::npos);
  const std::size_t second = first.find('\n') + 1;
  merges = first + first.substr(second, first.find('\n', second) + 1 - second);
  EXPECT_NE(refused().find("is listed twice"), std::string::npos);
}

TEST(Words, AreTheWholeText) {
  const std::string text = "It's  12 o'clock,\n  isn't\tit? ";
  std::string joined;
  for (const std::string_view word : split_words(text)) joined += word;
  EXPECT_EQ(joined, text);
  const std::vector<std::string_view> words = {"It",  "'s",   " ",  " 12", " o", "'", "clock", ",",
                                               "\n ", " isn", "'t", "\t",  "it", "?", " "};
  EXPECT_EQ(split_words(text), words);
}

}  // namespace
}  // namespace gradmill
