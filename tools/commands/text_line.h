#pragma once

#include <cstdint>
#include <iomanip>
#include <optional>
#include <sstream>
#include <string>

namespace gradmill {

/// A line of a table: right-aligned numbers and left-aligned words of given widths, "-" for a value
/// that is missing.
class TextLine {
 public:
  TextLine& word(const std::string& text, int width) {
    out_ << std::left << std::setw(width) << text;
    return *this;
  }
  TextLine& title(const std::string& text, int width) {
    out_ << std::right << std::setw(width) << text;
    return *this;
  }
  TextLine& number(std::optional<double> value, int width, int digits) {
    if (!value) return title("-", width);
    out_ << std::right << std::fixed << std::setprecision(digits) << std::setw(width) << *value;
    return *this;
  }
  TextLine& count(std::int64_t value, int width) {
    return number(static_cast<double>(value), width, 0);
  }
  /// Milliseconds, with the digits that matter.
  TextLine& ms(std::optional<double> value, int width) {
    return number(value, width, !value || *value >= 100 ? 1 : *value >= 1 ? 2 : 4);
  }
  /// Bytes as megabytes.
  TextLine& mb(std::optional<double> bytes, int width, int digits) {
    constexpr double kMega = 1e6;
    return number(bytes ? std::optional(*bytes / kMega) : std::nullopt, width, digits);
  }
  std::string str() const { return out_.str() + '\n'; }

 private:
  std::ostringstream out_;
};

/// Widths that the tables of `bench` share.
inline constexpr int kNameWidth = 36;
inline constexpr int kPeerWidth = 38;

}  // namespace gradmill
