// Logs a message at each level, for log_test, which watches from outside. With the argument "own"
// the program's own logger takes the messages; "level" raises the level at run time.

#include <gradmill/runtime/log.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <array>
#include <iostream>
#include <memory>
#include <string_view>

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const auto default_logger = spdlog::default_logger();
  if (mode == "own") {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(std::cout);
    auto logger = std::make_shared<spdlog::logger>("gradmill", sink);
    logger->set_pattern("own %l %v");
    logger->set_level(spdlog::level::debug);
    spdlog::register_logger(logger);
  }
  if (mode == "level") gradmill::set_log_level(gradmill::LogLevel::error);
  using gradmill::LogLevel;
  for (const LogLevel level : {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn,
                               LogLevel::error, LogLevel::off}) {
    std::cout << (gradmill::log_enabled(level) ? '1' : '0');
  }
  std::cout << std::endl;
  gradmill::log(LogLevel::trace, "at trace");
  gradmill::log(LogLevel::debug, "at debug {} %s");
  gradmill::log(LogLevel::info, "at info");
  gradmill::log(LogLevel::warn, "at warn");
  gradmill::log(LogLevel::error, "at error");
  gradmill::log(LogLevel::off, "at off");
  if (spdlog::default_logger() != default_logger) return 3;
  return spdlog::get("gradmill") == nullptr ? 4 : 0;
}
