#include "interrupt.h"

namespace gradmill {
namespace {

volatile std::sig_atomic_t interrupt_noted = 0;

extern "C" void note_interrupt(int) { interrupt_noted = 1; }

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupt_noted = 0;
  sigaction(SIGINT, nullptr, &before_);
  if (before_.sa_handler == SIG_IGN) return;
  struct sigaction action = {};
  action.sa_handler = note_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
}

InterruptGuard::~InterruptGuard() { sigaction(SIGINT, &before_, nullptr); }

bool InterruptGuard::interrupted() { return interrupt_noted != 0; }

}  // namespace gradmill
