#pragma once

#include <string>

namespace gradmill {

/// Before the work whose result goes to `path`, the value of `option`: throws Error when the file
/// could not be written, or something that is no regular file is there.
void check_save_path(const std::string& path, const char* option = "--save");

}  // namespace gradmill
