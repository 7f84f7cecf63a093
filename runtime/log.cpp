#include <gradmill/runtime/log.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

namespace gradmill {
namespace {

constexpr const char* kName = "gradmill";
constexpr const char* kVariable = "GRADMILL_LOG";

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::trace: return spdlog::level::trace;
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warn: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: return spdlog::level::off;
  }
  return spdlog::level::off;
}

std::optional<LogLevel> parse(std::string_view text) {
  constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info",
                                                       "warn",  "error", "off"};
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i] == text) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

std::shared_ptr<spdlog::logger> make_logger() {
  if (auto theirs = spdlog::get(kName)) return theirs;
  auto logger = std::make_shared<spdlog::logger>(
      kName, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%Y-%m-%d %T.%e %n %^%l%$: %v");
  const char* wanted = std::getenv(kVariable);
  const std::optional<LogLevel> level =
      wanted == nullptr || *wanted == '\0' ? LogLevel::warn : parse(wanted);
  logger->set_level(to_spdlog(level.value_or(LogLevel::warn)));
  if (!level) {
    logger->warn(std::string(kVariable) + "='" + wanted +
                 "' is not one of trace, debug, info, warn, error, off; warn is used");
  }
  try {
    spdlog::register_logger(logger);
  } catch (const spdlog::spdlog_ex&) {
    // The program registered its own in this very moment.
    if (auto theirs = spdlog::get(kName)) return theirs;
  }
  return logger;
}

// Never destroyed: static objects may log from their destructors.
spdlog::logger& logger() {
  static const auto* const instance = new std::shared_ptr<spdlog::logger>(make_logger());
  return **instance;
}

}  // namespace

bool log_enabled(LogLevel level) {
  return level != LogLevel::off && logger().should_log(to_spdlog(level));
}

void log(LogLevel level, const std::string& message) {
  if (log_enabled(level)) logger().log(to_spdlog(level), spdlog::string_view_t(message));
}

void set_log_level(LogLevel level) { logger().set_level(to_spdlog(level)); }

}  // namespace gradmill
