#include "commands/save_path.h"

#include <filesystem>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/safetensors.h>

namespace gradmill {

void check_save_path(const std::string& path, const char* option) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  check(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), option, " ",
        path, ": is there, and is not a regular file");
  try {
    check_writable(path);
  } catch (const Error& error) {
    fail(option, " ", error.what());
  }
}

}  // namespace gradmill
