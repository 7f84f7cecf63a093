#pragma once

#include <span>
#include <string>
#include <utility>

namespace gradmill {

/// Called before the work whose result goes to `path`, the value of `option`. Throws Error when the
/// file could not be written, or is not a regular file.
void check_save_path(const std::string& path, const char* option = "--save");

/// For the last line of a training: the path, or that there is none.
std::string saved_to(const std::string& path);

/// Prints that a training was interrupted at `where`, and whether its result was saved to `path`.
/// Returns the exit status.
int report_interrupted(const std::string& where, const std::string& path);

/// Throws Error when two of the options name the same file. Empty paths do not count.
void check_different_files(std::span<const std::pair<const char*, std::string>> outputs);

}  // namespace gradmill
