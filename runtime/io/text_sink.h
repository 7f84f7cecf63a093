#pragma once

// Where the text of a trace goes.

#include <memory>
#include <string>
#include <string_view>

namespace gradmill {

/// A file that is written from start to end, through gzip where its name ends in ".gz".
class TextSink {
 public:
  /// Creates or empties the file. Throws Error naming path and reason when it cannot.
  explicit TextSink(const std::string& path);
  /// Closes it, and says nothing of what fails then.
  ~TextSink();
  TextSink(const TextSink&) = delete;
  TextSink& operator=(const TextSink&) = delete;

  /// Throws Failure naming path and reason.
  void write(std::string_view text);
  /// What was written so far can be read from now on, whatever becomes of the process. Throws
  /// likewise.
  void flush();
  /// Throws likewise.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradmill
