#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include <gradmill/runtime/export.h>

namespace gradmill {

/// Something the caller gave is wrong: a shape, a name, a file's content. The message says what,
/// where, and which rule it breaks. Nothing was changed. The command line exits with 2.
class GRADMILL_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The input was acceptable and the work failed all the same: a full disk, a NaN in a checked step.
/// The command line exits with 1.
class GRADMILL_API Failure : public Error {
 public:
  using Error::Error;
};

/// Concatenates its arguments as `operator<<` prints them.
template <class... Args>
std::string cat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return std::move(out).str();
}

/// Throws Error with the concatenated arguments.
template <class... Args>
[[noreturn]] void fail(const Args&... args) {
  throw Error(cat(args...));
}

/// Throws Error with the concatenated arguments unless `condition` holds.
template <class... Args>
void check(bool condition, const Args&... args) {
  if (!condition) fail(args...);
}

}  // namespace gradmill
