#include "text/read_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include <gradmill/runtime/error.h>

namespace gradmill {

std::string read_file(const std::string& path) {
  std::error_code ignored;
  check(!std::filesystem::is_directory(path, ignored), path, ": is a folder, not a file");
  check(!std::filesystem::exists(path, ignored) || std::filesystem::is_regular_file(path, ignored),
        path, ": is not a regular file");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  check(file.is_open(), path, ": ", errno != 0 ? std::strerror(errno) : "cannot be opened");
  std::string text(std::istreambuf_iterator<char>(file), {});
  check(!file.bad(), path, ": cannot be read: ", std::strerror(errno));
  return text;
}

}  // namespace gradmill
