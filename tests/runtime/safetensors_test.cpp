#include <gmock/gmock.h>
#include <gradmill/runtime/safetensors.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "support/error_of.h"
#include "support/temp_folder.h"

#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace gradmill {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::map<std::string, std::string> kMetadata = {{"format", "pt"}};

// The tensors that tests/support/make_safetensors.py makes.
struct Example {
  std::array<float, 6> weight = {-1.0F, -0.5F, 0.0F, 0.5F, 1.0F, 1.5F};
  std::array<float, 3> bias = {1e30F, -0.0F, 1.5e-45F};
  std::array<double, 1> scale = {0.1};
  std::array<std::int64_t, 6> labels{};
  std::array<float, 1> other = {3.25F};
  std::string other_name =
      "gr\xc3\xb6\xc3\x9f"
      "e \"\\\n";

  Example() {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      labels[i] = -static_cast<std::int64_t>(i) * (std::int64_t{1} << 40);
    }
  }
  std::vector<NamedTensor> tensors() const {
    return {{"fc1.weight", {{DType::f32, {3, 2}}, weight.data()}},
            {other_name, {{DType::f32, {1}}, other.data()}},
            {"scale", {{DType::f64, {}}, scale.data()}},
            {"labels", {{DType::i64, {2, 1, 3}}, labels.data()}},
            {"fc1.bias", {{DType::f32, {3}}, bias.data()}}};
  }
};

void expect_example(const SafetensorsFile& file) {
  const Example example;
  EXPECT_EQ(file.metadata(), kMetadata);
  EXPECT_EQ(file.tensors().size(), 5U);
  for (const NamedTensor& expected : example.tensors()) {
    const TensorView* read = file.find(expected.name);
    ASSERT_NE(read, nullptr) << expected.name;
    EXPECT_EQ(read->type, expected.tensor.type);
    EXPECT_EQ(std::memcmp(read->data, expected.tensor.data, read->type.bytes()), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read->data) % size_of(read->type.dtype), 0U);
  }
  EXPECT_EQ(file.find("fc1"), nullptr);
}

TEST(Safetensors, ReadsAFileMadeByThePythonPackage) {
  expect_example(SafetensorsFile(TEST_DATA "/python.safetensors"));
}

TEST(Safetensors, WritesTheBytesThatThePythonPackageWrites) {
  const TempFolder folder;
  write_safetensors(folder / "ours", Example().tensors(), kMetadata);
  EXPECT_EQ(read_text(folder / "ours"), read_text(TEST_DATA "/python.safetensors"));
}

TEST(Safetensors, RoundTrips) {
  const TempFolder folder;
  write_safetensors(folder / "model", Example().tensors(), kMetadata);
  expect_example(SafetensorsFile(folder / "model"));
  EXPECT_EQ(folder.files(), 1);
}

TEST(Safetensors, TensorsAreInTheOrderOfTheirNames) {
  const SafetensorsFile file(TEST_DATA "/python.safetensors");
  std::vector<std::string> names;
  for (const NamedTensor& tensor : file.tensors()) names.push_back(tensor.name);
  EXPECT_THAT(names,
              ElementsAre("fc1.bias", "fc1.weight", Example().other_name, "labels", "scale"));
}

TEST(Safetensors, ViewsSurviveAMove) {
  SafetensorsFile first(TEST_DATA "/python.safetensors");
  const void* const data = first.find("scale")->data;
  const SafetensorsFile second(std::move(first));
  EXPECT_EQ(second.find("scale")->data, data);
  expect_example(second);
}

TEST(Safetensors, MayHoldNothing) {
  const TempFolder folder;
  write_safetensors(folder / "empty", {});
  EXPECT_TRUE(SafetensorsFile(folder / "empty").tensors().empty());
}

TEST(Safetensors, AlignsDataThatAreNot) {
  const TempFolder folder;
  std::string header = R"({"b":{"dtype":"F64","shape":[1],"data_offsets":[4,12]},)"
                       R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})";
  const std::uint64_t length = header.size();  // not a multiple of 8 either
  ASSERT_NE(length % 8, 0U);
  const float a = 1.5F;
  const double b = 2.5;
  std::string bytes(reinterpret_cast<const char*>(&length), 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(&a), 4).append(reinterpret_cast<const char*>(&b), 8);
  write_text(folder / "odd", bytes);
  const SafetensorsFile file(folder / "odd");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.find("b")->data) % 8, 0U);
  EXPECT_THAT(file.find("a")->as<float>(), ElementsAre(1.5F));
  EXPECT_THAT(file.find("b")->as<double>(), ElementsAre(2.5));
}

TEST(SafetensorsWrite, RefusesANameUsedTwice) {
  const TempFolder folder;
  const float value = 0;
  const NamedTensor tensor{"w", {{DType::f32, {}}, &value}};
  const std::vector<NamedTensor> twice = {tensor, tensor};
  EXPECT_THAT(error_of([&] { write_safetensors(folder / "f", twice); }),
              HasSubstr("/f: the name 'w' is used twice"));
  EXPECT_EQ(folder.files(), 0);
}

TEST(SafetensorsWrite, RefusesNamesThatTheFormatCannotHold) {
  const TempFolder folder;
  const float value = 0;
  for (const std::string name : {"__metadata__", "a\xff"}) {
    const std::vector<NamedTensor> tensors = {{name, {{DType::f32, {}}, &value}}};
    EXPECT_THAT(error_of([&] { write_safetensors(folder / "f", tensors); }), HasSubstr("/f: "));
  }
  EXPECT_THAT(error_of([&] {
                write_safetensors(folder / "f", {}, {{"k", "\xff"}});
              }),
              HasSubstr("must be UTF-8"));
  EXPECT_EQ(folder.files(), 0);
}

TEST(SafetensorsWrite, ReplacesAFileAndFollowsALink) {
  const TempFolder folder;
  write_text(folder / "model", "old");
  std::filesystem::create_symlink("model", folder / "link");
  write_safetensors(folder / "link", Example().tensors(), kMetadata);
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  expect_example(SafetensorsFile(folder / "model"));
  EXPECT_EQ(folder.files(), 2);
}

TEST(SafetensorsWrite, GivesTheModeOfANewFile) {
  const TempFolder folder;
  const mode_t previous = umask(027);
  write_safetensors(folder / "model", {});
  umask(previous);
  struct stat info {};
  ASSERT_EQ(stat((folder / "model").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
}

// While it lives, no file of this process may grow past `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &previous_);
    rlimit limit = previous_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &previous_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit previous_{};
};

TEST(SafetensorsWrite, LeavesTheOldFileWhenWritingFails) {
  const TempFolder folder;
  write_safetensors(folder / "model", Example().tensors(), kMetadata);
  const std::vector<double> many(10'000, 1.0);
  const std::vector<NamedTensor> tensors = {{"w", {{DType::f64, {10'000}}, many.data()}}};
  std::string message;
  {
    const FileSizeLimit limit(4096);
    message = error_of<Failure>([&] { write_safetensors(folder / "model", tensors); });
  }
  EXPECT_THAT(message, AllOf(HasSubstr("/model: cannot be written: "), HasSubstr("too large")));
  expect_example(SafetensorsFile(folder / "model"));
  EXPECT_EQ(folder.files(), 1);
}

// Needs a file system of its own: a tmpfs of 64 KiB that only a child process sees.
TEST(SafetensorsWrite, ReportsAFullDisk) {
  const TempFolder folder;
  const std::string path = folder / "model";
  const std::vector<double> many(100'000, 1.0);
  const std::vector<NamedTensor> tensors = {{"w", {{DType::f64, {100'000}}, many.data()}}};
  constexpr int kNoNamespace = 77;
  const std::string user = cat("0 ", geteuid(), " 1");
  const std::string group = cat("0 ", getegid(), " 1");
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) _exit(kNoNamespace);
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", user);
    write_text("/proc/self/gid_map", group);
    const bool mounted = mount("none", folder.path().c_str(), "tmpfs", 0, "size=64k") == 0;
    write_text(path, "old");
    if (!mounted || read_text(path) != "old") _exit(kNoNamespace);
    const std::string message = error_of<Failure>([&] { write_safetensors(path, tensors); });
    const bool ok = message == path + ": cannot be written: No space left on device" &&
                    read_text(path) == "old" && folder.files() == 1;
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoNamespace) GTEST_SKIP() << "this system allows no namespaces";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(SafetensorsWrite, ReportsAMissingFolder) {
  const TempFolder folder;
  EXPECT_THAT(error_of<Failure>([&] { write_safetensors(folder / "no/model", {}); }),
              AllOf(HasSubstr("/no/model: cannot be written: "), HasSubstr("No such file")));
}

TEST(CheckWritable, AcceptsNewAndOldFilesAndLeavesNothing) {
  const TempFolder folder;
  EXPECT_NO_THROW(check_writable(folder / "new"));
  EXPECT_EQ(folder.files(), 0);
  write_text(folder / "old", "content");
  EXPECT_NO_THROW(check_writable(folder / "old"));
  EXPECT_EQ(read_text(folder / "old"), "content");
  EXPECT_EQ(folder.files(), 1);
}

TEST(CheckWritable, AcceptsANameInTheWorkingFolder) {
  EXPECT_NO_THROW(check_writable("gradmill-check-writable"));
  EXPECT_FALSE(std::filesystem::exists("gradmill-check-writable"));
}

TEST(CheckWritable, RefusesWhatCannotBeAFile) {
  const TempFolder folder;
  write_text(folder / "file", "");
  EXPECT_THAT(error_of([] { check_writable(""); }), HasSubstr("the path is empty"));
  EXPECT_THAT(error_of([&] { check_writable(folder.path().string()); }), HasSubstr("is a folder"));
  EXPECT_THAT(error_of([&] { check_writable(folder / "new/"); }), HasSubstr("names a folder"));
  EXPECT_THAT(error_of([&] { check_writable(folder / "no/model"); }),
              HasSubstr("its folder: No such file or directory"));
  EXPECT_THAT(error_of([&] { check_writable(folder / "file/model"); }),
              HasSubstr("Not a directory"));
  EXPECT_THAT(error_of([&] { check_writable(folder / std::string(300, 'x')); }),
              HasSubstr("File name too long"));
  EXPECT_THAT(error_of([] { check_writable("/dev/null"); }), HasSubstr("not a regular file"));
}

TEST(CheckWritable, RefusesAFolderThatTakesNoFiles) {
  EXPECT_THAT(error_of([] { check_writable("/proc/model"); }),
              HasSubstr("/proc/model: cannot be written: its folder: "));
  if (geteuid() == 0) return;  // root may write anywhere
  const TempFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms{0555});
  EXPECT_THAT(error_of([&] { check_writable(folder / "model"); }), HasSubstr("Permission denied"));
  std::filesystem::permissions(folder.path(), std::filesystem::perms{0755});
}

}  // namespace
}  // namespace gradmill
