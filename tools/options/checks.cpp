#include "options/checks.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr double kMinSeconds = 1e-3;

// The parser turns numbers that are too large into the largest number, which is therefore refused.
// Products of sizes in this range may still overflow: shapes check that.
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max() - 1;

}  // namespace

const CLI::Range kPositive(std::int64_t{1}, kLargest);
const CLI::Range kSeed(std::uint64_t{0}, static_cast<std::uint64_t>(kLargest));

// The parser would take a leading zero for octal, and say of 1.5 that it is out of range.
const CLI::Validator kWhole(
    [](std::string& text) -> std::string {
      const std::size_t first = text.find_first_not_of("+-");
      if (first == std::string::npos || first > 1 ||
          text.find_first_not_of("0123456789", first) != std::string::npos) {
        return "needs a whole number, got '" + text + "'";
      }
      const std::size_t digits = std::min(text.find_first_not_of('0', first), text.size() - 1);
      text.erase(first, digits - first);
      return {};
    },
    "");

const CLI::Validator kPath(
    [](std::string& text) -> std::string { return text.empty() ? "needs a path, got ''" : ""; },
    "");

// Checked before the parser, which would take -1 for the largest number of bytes.
const CLI::Validator kBytes(
    [](std::string& text) -> std::string {
      return text.find_first_of("0123456789") == 0
                 ? ""
                 : cat("needs bytes, such as 512MiB, got '", text, "'");
    },
    "");

const CLI::Validator kBandwidth(
    [](std::string& text) -> std::string {
      double value = 0;
      const bool known = CLI::detail::lexical_cast(text, value);
      return known && value > 0 && std::isfinite(value)
                 ? ""
                 : cat("needs GB/s above 0, got '", text, "'");
    },
    "");

// The parser's own ranges have room for NaN.
const CLI::Validator kAtLeastZero(
    [](std::string& text) -> std::string {
      double value = 0;
      const bool known = CLI::detail::lexical_cast(text, value);
      return known && value >= 0 && std::isfinite(value)
                 ? ""
                 : cat("needs a number of at least 0, got '", text, "'");
    },
    "");

CLI::Validator seconds_to(double max) {
  return {[max](std::string& text) -> std::string {
            double value = 0;
            const bool known = CLI::detail::lexical_cast(text, value);
            return known && value >= kMinSeconds && value <= max
                       ? ""
                       : cat("needs seconds from ", kMinSeconds, " to ", max, ", got '", text, "'");
          },
          ""};
}

}  // namespace gradmill
