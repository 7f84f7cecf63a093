#include <gradmill/runtime/threads/held_signals.h>

#include <initializer_list>

namespace gradmill {
namespace {

sigset_t all_but_faults() {
  sigset_t set;
  sigfillset(&set);
  for (const int fault : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP}) {
    sigdelset(&set, fault);
  }
  return set;
}

}  // namespace

HeldSignals::HeldSignals() {
  static const sigset_t held = all_but_faults();
  pthread_sigmask(SIG_BLOCK, &held, &previous_);
}

HeldSignals::~HeldSignals() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

}  // namespace gradmill
