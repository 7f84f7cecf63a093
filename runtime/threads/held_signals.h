#pragma once

#include <csignal>

namespace gradmill {

/// While it lives, signals from outside wait for this thread (or go to another one): during a whole
/// step, since holding them costs two calls of the system. oneDNN's
/// assembler kernels for products point the stack register into a block of the heap, below which
/// the frame of a handler would overwrite what belongs to others. Signals that a fault of this very
/// thread raises are not held.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t previous_;
};

}  // namespace gradmill
