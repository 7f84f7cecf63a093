#pragma once

#include <cstdint>

namespace gradmill {

/// While it lives, this thread asks the system for short slices of time instead of long ones, for
/// the same share of a core (Linux from 6.12; elsewhere, or where it is refused, nothing changes).
///
/// A thread of oneTBB with nothing to do calls sched_yield, and newer kernels take the rest of its
/// slice for that: milliseconds, where all cores are busy. A step, in which threads wait for each
/// other many times, would lose a third of its share to a program's threads that never wait.
class ShortSlice {
 public:
  ShortSlice();
  ~ShortSlice();
  ShortSlice(const ShortSlice&) = delete;
  ShortSlice& operator=(const ShortSlice&) = delete;

 private:
  std::uint64_t previous_ = 0;  // nanoseconds; 0: nothing to put back
};

}  // namespace gradmill
