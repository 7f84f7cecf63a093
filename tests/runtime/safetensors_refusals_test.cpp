#include <gmock/gmock.h>
#include <gradmill/runtime/safetensors.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include "support/error_of.h"
#include "support/temp_folder.h"

#include <cstdint>
#include <string>

namespace gradmill {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class SafetensorsRefuses : public testing::Test {
 protected:
  std::string bytes(const std::string& file) {
    write_text(path_, file);
    return open();
  }
  // A file of this header, with `data` bytes after it.
  std::string header(const std::string& json, std::size_t data = 0) {
    const std::uint64_t length = json.size();
    return bytes(std::string(reinterpret_cast<const char*>(&length), 8) + json +
                 std::string(data, '\0'));
  }
  // One tensor 'w' described by `info`.
  std::string tensor(const std::string& info, std::size_t data = 4) {
    return header(R"({"w":)" + info + "}", data);
  }
  std::string open() const {
    std::string message = error_of([&] { SafetensorsFile file(path_); });
    EXPECT_THAT(message, StartsWith(path_ + ": "));
    return message;
  }

  TempFolder folder_;
  std::string path_ = folder_ / "model.safetensors";
};

TEST_F(SafetensorsRefuses, AMissingFile) { EXPECT_THAT(open(), HasSubstr("No such file")); }

TEST_F(SafetensorsRefuses, AFolderOrAPipe) {
  EXPECT_THAT(error_of([&] { SafetensorsFile file(folder_.path().string()); }),
              HasSubstr("it is a folder"));
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(open(), HasSubstr("not a regular file"));
}

TEST_F(SafetensorsRefuses, AFileWithoutAHeaderLength) {
  EXPECT_THAT(bytes(""), HasSubstr("truncated: 0 bytes"));
  EXPECT_THAT(bytes("1234567"), HasSubstr("truncated: 7 bytes"));
}

TEST_F(SafetensorsRefuses, AHeaderThatIsTooBig) {
  EXPECT_THAT(bytes(std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10)),
              HasSubstr("the header claims 100000001 bytes, at most 100000000 are allowed"));
  EXPECT_THAT(bytes("\xff\xff\xff\xff\xff\xff\xff\xff{}"),
              HasSubstr("the header claims 18446744073709551615 bytes"));
}

TEST_F(SafetensorsRefuses, AFileShorterThanItsHeader) {
  EXPECT_THAT(bytes(std::string("\x09\0\0\0\0\0\0\0{}", 10)),
              HasSubstr("truncated: the header claims 9 bytes, the file has 2"));
}

TEST_F(SafetensorsRefuses, AHeaderThatIsNoJsonObject) {
  EXPECT_THAT(header(""), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(header("[]"), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(header(" {}"), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(header("{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(header("{}{}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(header("{\"\xff\":1}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(header("{" + std::string(100'000, '[')), HasSubstr("not valid JSON"));
}

TEST_F(SafetensorsRefuses, ANameUsedTwice) {
  EXPECT_THAT(header(R"({"w":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                     R"("w":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                     4),
              HasSubstr("the key 'w' appears twice"));
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[],"shape":[1],"data_offsets":[0,4]})"),
              HasSubstr("the key 'shape' appears twice"));
}

TEST_F(SafetensorsRefuses, ATensorWithoutItsFields) {
  EXPECT_THAT(tensor("3"), HasSubstr("tensor 'w': must be an object"));
  EXPECT_THAT(tensor(R"({"shape":[],"data_offsets":[0,4]})"), HasSubstr("'dtype' is missing"));
  EXPECT_THAT(tensor(R"({"dtype":"F32","data_offsets":[0,4]})"), HasSubstr("'shape' is missing"));
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[]})"), HasSubstr("'data_offsets' is missing"));
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1})"),
              HasSubstr("only 'dtype', 'shape' and 'data_offsets'"));
}

TEST_F(SafetensorsRefuses, FieldsOfTheWrongKind) {
  EXPECT_THAT(tensor(R"({"dtype":1,"shape":[],"data_offsets":[0,4]})"),
              HasSubstr("'dtype' must be a string"));
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})"),
              HasSubstr("'shape' must be an array"));
  for (const char* size : {"-1", "1.0", "\"1\"", "null"}) {
    EXPECT_THAT(
        tensor(std::string(R"({"dtype":"F32","shape":[)") + size + R"(],"data_offsets":[0,4]})"),
        HasSubstr("sizes must be whole numbers"));
  }
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[],"data_offsets":[0]})"),
              HasSubstr("'data_offsets' must be an array of two numbers"));
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[],"data_offsets":[-4,0]})"),
              HasSubstr("offsets must be whole numbers"));
}

TEST_F(SafetensorsRefuses, AnUnknownDtype) {
  for (const std::string dtype : {"F16", "BF16", "I32", "f32", "X"}) {
    EXPECT_THAT(
        tensor(R"({"dtype":")" + dtype + R"(","shape":[],"data_offsets":[0,4]})"),
        HasSubstr("tensor 'w': dtype '" + dtype + "' is not supported, only F32, F64 and I64 are"));
  }
}

TEST_F(SafetensorsRefuses, HalfPrecisionFromThePythonPackage) {
  EXPECT_THAT(error_of([] { SafetensorsFile file(TEST_DATA "/python_f16.safetensors"); }),
              HasSubstr("tensor 'half': dtype 'F16' is not supported"));
}

TEST_F(SafetensorsRefuses, SizesThatAreNoShape) {
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})", 0),
              HasSubstr("tensor 'w': shape [0]: every size must be at least 1"));
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})"),
              HasSubstr("the product of the sizes overflows"));
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]})"),
              HasSubstr("sizes 9223372036854775808 is out of range"));
}

TEST_F(SafetensorsRefuses, SizesThatDoNotMatchTheOffsets) {
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"),
              HasSubstr("data_offsets [0, 4] span 4 bytes, but f32 [2] takes 8"));
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})"),
              HasSubstr("data_offsets [4, 0] run backwards"));
}

TEST_F(SafetensorsRefuses, TruncatedData) {
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 7),
              AllOf(HasSubstr("data_offsets [0, 8] are out of range"),
                    HasSubstr("the file is truncated, it holds 7 bytes of data")));
}

TEST_F(SafetensorsRefuses, EveryTruncationOfAGoodFile) {
  const std::string good = read_text(TEST_DATA "/python.safetensors");
  for (std::size_t size = 0; size < good.size(); ++size) bytes(good.substr(0, size));
}

TEST_F(SafetensorsRefuses, TensorsThatOverlap) {
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                     R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                     12),
              HasSubstr("tensor 'b' overlaps another: it begins at byte 4"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                     R"("b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                     4),
              HasSubstr("overlaps another"));
}

TEST_F(SafetensorsRefuses, TensorsThatLeaveGaps) {
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[],"data_offsets":[4,8]})", 8),
              HasSubstr("a gap before tensor 'w': it begins at byte 4"));
}

TEST_F(SafetensorsRefuses, BytesAfterTheLastTensor) {
  EXPECT_THAT(tensor(R"({"dtype":"F32","shape":[],"data_offsets":[0,4]})", 5),
              HasSubstr("1 bytes after the last tensor"));
  EXPECT_THAT(header("{}", 3), HasSubstr("3 bytes after the last tensor"));
}

TEST_F(SafetensorsRefuses, MetadataThatAreNotStrings) {
  EXPECT_THAT(header(R"({"__metadata__":[]})"), HasSubstr("'__metadata__' must be an object"));
  EXPECT_THAT(header(R"({"__metadata__":{"k":1}})"),
              HasSubstr("'__metadata__' may hold strings only, 'k' is none"));
}

}  // namespace
}  // namespace gradmill
