#include "data/idx.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <system_error>

#include <zlib.h>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::uint32_t kUnsignedByte = 0x08;
constexpr std::uint64_t kMaxElements = std::uint64_t{4} << 30;

/// A file that zlib inflates where it is compressed, and passes through where it is not.
class GzipFile {
 public:
  explicit GzipFile(const std::string& path) : path_(path) {
    std::error_code ignored;
    check(!std::filesystem::is_directory(path, ignored), path, ": is a folder, not an IDX file");
    errno = 0;
    check(
        !std::filesystem::exists(path, ignored) || std::filesystem::is_regular_file(path, ignored),
        path, ": is not a regular file");
    file_ = gzopen(path.c_str(), "rb");
    check(file_ != nullptr, path, ": ", errno != 0 ? std::strerror(errno) : "cannot be opened");
    gzbuffer(file_, 1 << 17);
  }
  ~GzipFile() { gzclose(file_); }
  GzipFile(const GzipFile&) = delete;
  GzipFile& operator=(const GzipFile&) = delete;

  /// Fills `out` as far as the file reaches; returns the number of bytes.
  std::size_t read(std::span<std::uint8_t> out) {
    std::size_t done = 0;
    while (done < out.size()) {
      const std::size_t want = std::min<std::size_t>(out.size() - done, 1 << 24);
      const int got = gzread(file_, out.data() + done, static_cast<unsigned>(want));
      // A truncated or damaged stream sets an error code; a truncated one may return bytes as well.
      int code = Z_OK;
      const char* reason = gzerror(file_, &code);
      check(got >= 0 && code == Z_OK, path_,
            ": truncated or damaged: ", code == Z_ERRNO ? std::strerror(errno) : reason);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

 private:
  std::string path_;
  gzFile file_ = nullptr;
};

std::uint32_t big_endian(std::span<const std::uint8_t, 4> bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
}

std::string hex(std::uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", value);
  return text.data();
}

}  // namespace

IdxArray read_idx(const std::string& path, int rank) {
  GzipFile file(path);
  std::array<std::uint8_t, 4> word{};
  const auto next = [&] {
    check(file.read(word) == word.size(), path, ": truncated: the file ends in its header");
    return big_endian(word);
  };

  const std::uint32_t wanted = kUnsignedByte << 8 | static_cast<std::uint32_t>(rank);
  const std::uint32_t magic = next();
  check(magic == wanted, path, ": wrong magic number ", hex(magic), ", an IDX file of bytes with ",
        rank, " dimensions has ", hex(wanted));

  IdxArray array;
  std::uint64_t elements = 1;
  for (int axis = 0; axis < rank; ++axis) {
    const std::uint64_t size = next();
    check(size > 0, path, ": dimension ", axis, " has size 0; at least 1 is needed");
    check(elements <= kMaxElements / size, path, ": its sizes multiply to more than ", kMaxElements,
          " elements");
    elements *= size;
    array.sizes.push_back(static_cast<std::int64_t>(size));
  }

  // Grows with the bytes that are really there, so that a wrong header cannot allocate gigabytes.
  constexpr std::uint64_t kChunk = 1 << 26;
  std::uint64_t have = 0;
  while (have < elements) {
    array.bytes.resize(std::min(elements, have + kChunk));
    const std::uint64_t got = file.read(std::span(array.bytes).subspan(have));
    have += got;
    check(have == array.bytes.size(), path, ": truncated: ", elements,
          " elements by its sizes, but ", have, " in the file");
  }
  std::array<std::uint8_t, 1> more{};
  check(file.read(more) == 0, path, ": oversized: bytes follow the ", elements,
        " elements of its sizes");
  return array;
}

}  // namespace gradmill
