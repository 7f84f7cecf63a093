#pragma once

#include <gradmill/runtime/log.h>

#include <string>

namespace gradmill {

/// What the library logs from `level` up while this lives; one at a time.
class CapturedLog {
 public:
  explicit CapturedLog(LogLevel level);
  ~CapturedLog();
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  /// So far, a message a line.
  std::string text() const;
};

}  // namespace gradmill
