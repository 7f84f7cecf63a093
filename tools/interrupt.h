#pragma once

#include <csignal>

namespace gradmill {

/// During its lifetime, the first Ctrl-C (SIGINT) is only noted; a second ends the program as
/// usual. Where SIGINT was ignored, as in jobs started by nohup, it stays ignored.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// Whether Ctrl-C came since the construction.
  static bool interrupted();

 private:
  struct sigaction before_ = {};
};

}  // namespace gradmill
