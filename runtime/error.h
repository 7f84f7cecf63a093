#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

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

namespace detail {

// A stream costs more than most texts: what needs none does without.
template <class T>
void append(std::string& text, const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    text += std::string_view(value);
  } else if constexpr (std::is_same_v<T, char>) {
    text += value;
  } else if constexpr (std::is_integral_v<T> && sizeof(T) >= sizeof(int)) {
    text += std::to_string(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    std::array<char, 64> digits;  // the fewest that read back as the same number
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    text.append(digits.data(), end);
  } else if constexpr (requires {
                         { to_string(value) } -> std::same_as<std::string>;
                       }) {
    text += to_string(value);
  } else {
    std::ostringstream out;
    out << value;
    text += std::move(out).str();
  }
}

}  // namespace detail

/// Concatenates its arguments as `operator<<` prints them; floating point numbers with as many
/// digits as it takes to tell them from all others.
template <class... Args>
std::string cat(const Args&... args) {
  std::string text;
  (detail::append(text, args), ...);
  return text;
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
