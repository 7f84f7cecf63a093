#pragma once

#include <map>
#include <string>
#include <vector>

namespace gradmill {

/// How a program that was run ended.
struct ProcessResult {
  bool timed_out = false;
  int status = 0;   ///< what it exited with, or 128 + the signal that ended it
  std::string out;  ///< its standard output, and
  std::string err;  ///< its standard error, the last megabyte of each
};

/// Runs `command` (a path and its arguments) in a process of its own, with these variables added to
/// the environment and nothing on its standard input, and waits until it ends. After `seconds` it
/// is killed, together with its process group; the same happens when this process ends. Throws
/// Failure when no process can be made.
ProcessResult run_process(const std::vector<std::string>& command,
                          const std::map<std::string, std::string>& environment, double seconds);

/// The last line of `text` that is not empty, without its line end.
std::string last_line(std::string text);

}  // namespace gradmill
