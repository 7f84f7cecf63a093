#pragma once

#include <cstdint>
#include <string>

#include <gradmill/runtime/export.h>

namespace gradmill {

/// Ordered from most to least talkative.
enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

/// Messages go to the spdlog logger named "gradmill". A program that registers a logger of that
/// name before the first message replaces ours, which writes to stderr at the level that the
/// environment variable GRADMILL_LOG names (trace, debug, info, warn, error, off; warn by default).
GRADMILL_API bool log_enabled(LogLevel level);
GRADMILL_API void log(LogLevel level, const std::string& message);
GRADMILL_API void set_log_level(LogLevel level);

}  // namespace gradmill
