#include "commands/write_text.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <gradmill/runtime/error.h>

namespace gradmill {

void write_text(const char* option, const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream out(path);
  check(out.is_open(), option, " ", path, ": cannot be written: ", std::strerror(errno));
  out << text << std::flush;
  if (!out) throw Failure(cat(option, " ", path, ": ", std::strerror(errno)));
}

}  // namespace gradmill
