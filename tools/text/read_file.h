#pragma once

#include <string>

namespace gradmill {

/// All bytes of a file. Throws Error naming it, with the system's reason, when it cannot be read
/// or is not a regular file.
std::string read_file(const std::string& path);

}  // namespace gradmill
