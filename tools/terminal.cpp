#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace gradmill {

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string format(const char* pattern, ...) {
  char text[256];
  std::va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

std::string with_bar(const std::string& head, double share, const std::string& tail, int columns) {
  const int room = columns - 1 - static_cast<int>(head.size() + tail.size()) - 2;
  std::string bar;
  if (room >= 4) {
    const int width = std::min(room, 30);
    const int full = static_cast<int>(share * width);
    bar = "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
  }
  return (head + bar + tail).substr(0, std::max(columns - 1, 0));
}

}  // namespace gradmill
