#include "guarded.h"

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <string_view>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr int kFailed = 1;
constexpr int kRefused = 2;

/// Prints what went wrong in one line, even if the message has several.
int report(std::string_view message, int status) {
  std::string line = "gradmill: ";
  for (std::size_t i = 0; i < message.size(); ++i) {
    if (message[i] != '\n') {
      line += message[i];
      continue;
    }
    if (line.back() != ':') line += ';';
    while (i + 1 < message.size() && message[i + 1] == ' ') ++i;
    line += ' ';
  }
  std::cout.flush();
  std::cerr << line << '\n';
  return status;
}

}  // namespace

int guarded(const std::function<int()>& work) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file over the limit is then an error like a full disk
  try {
    const int status = work();
    std::cout.flush();
    if (!std::cout || std::fflush(stdout) != 0) throw Failure("standard output: cannot be written");
    return status;
  } catch (const Failure& failure) {
    return report(failure.what(), kFailed);
  } catch (const Error& error) {
    return report(error.what(), kRefused);
  } catch (const std::bad_alloc&) {
    return report("out of memory", kFailed);
  } catch (const std::exception& error) {
    return report(error.what(), kFailed);
  }
}

}  // namespace gradmill
