#include "commands/save_path.h"

#include <filesystem>
#include <iostream>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/safetensors.h>

#include "commands/commands.h"

namespace gradmill {

void check_save_path(const std::string& path, const char* option) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  check(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), option, " ",
        path, ": exists, and is not a regular file");
  try {
    check_writable(path);
  } catch (const Error& error) {
    fail(option, " ", error.what());
  }
}

std::string saved_to(const std::string& path) {
  return path.empty() ? "nowhere (no --save FILE)" : path;
}

int report_interrupted(const std::string& where, const std::string& path) {
  std::cerr << "interrupted " << where << ", "
            << (path.empty() ? "nothing saved: no --save" : "saved to " + path) << '\n';
  return kInterrupted;
}

void check_different_files(std::span<const std::pair<const char*, std::string>> outputs) {
  namespace fs = std::filesystem;
  // A path that does not exist yet is resolved as far as it exists.
  const auto resolved = [](const std::string& path) {
    return fs::weakly_canonical(fs::absolute(path));
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::string& path = outputs[i].second;
      const std::string& other = outputs[j].second;
      if (path.empty() || other.empty()) continue;
      check(resolved(path) != resolved(other), outputs[j].first, " and ", outputs[i].first,
            " name the same file, ", path);
    }
  }
}

}  // namespace gradmill
