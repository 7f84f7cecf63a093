#pragma once

// Whole files in and out, with the system's reason in every message.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace gradmill {

/// A regular file opened for reading from its start to its end.
class InputFile {
 public:
  /// Throws Error naming path and reason when it cannot be opened or is no regular file.
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Bytes when it was opened.
  std::uint64_t size() const { return size_; }
  /// The next bytes. Throws Error (without the path) when there are fewer, or reading fails.
  void read(void* data, std::size_t bytes);

 private:
  int descriptor_;
  std::uint64_t size_ = 0;
};

/// Writes `parts` one after the other to a new file beside `path`, syncs it, renames it to `path`
/// and syncs the folder. A symbolic link is followed. Throws Failure naming path and reason; what
/// was at `path` is then still there, and the new file is not.
void write_file_atomically(const std::string& path,
                           std::span<const std::span<const std::byte>> parts);

/// Throws Error when `write_file_atomically` could not write `path`: its folder is missing or not
/// writable, or it names a folder. Leaves nothing behind.
void check_replaceable(const std::string& path);

}  // namespace gradmill
