#pragma once

#include <span>
#include <string>
#include <utility>

namespace gradmill {

/// Before the work whose result goes to `path`, the value of `option`: throws Error when the file
/// could not be written, or something that is no regular file is there.
void check_save_path(const std::string& path, const char* option = "--save");

/// Throws Error when two of the options name one file. Empty paths are none.
void check_different_files(std::span<const std::pair<const char*, std::string>> outputs);

}  // namespace gradmill
