#pragma once

#include <string>

namespace gradmill {

/// Writes a file that `option` names. Throws Error when it cannot be created, Failure when the
/// system refuses to write all of it.
void write_text(const char* option, const std::string& path, const std::string& text);

}  // namespace gradmill
