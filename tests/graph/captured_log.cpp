#include "captured_log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>

namespace gradmill {
namespace {

std::ostringstream& captured() {
  static std::ostringstream stream;
  return stream;
}

/// Puts a logger of its own in the place of the library's before the first message of any test.
class CaptureLog : public testing::Environment {
 public:
  void SetUp() override {
    auto logger = std::make_shared<spdlog::logger>(
        "gradmill", std::make_shared<spdlog::sinks::ostream_sink_mt>(captured()));
    logger->set_pattern("%v");
    logger->set_level(spdlog::level::warn);
    spdlog::register_logger(logger);
  }
};

const auto* const kEnvironment = testing::AddGlobalTestEnvironment(new CaptureLog);

}  // namespace

CapturedLog::CapturedLog(LogLevel level) {
  captured().str({});
  set_log_level(level);
}

CapturedLog::~CapturedLog() { set_log_level(LogLevel::warn); }

std::string CapturedLog::text() const { return captured().str(); }

}  // namespace gradmill
