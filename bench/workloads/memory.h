#pragma once

// The memory that a step adds to the process, ours and those of peers. Needs no library.

#include <cstdint>
#include <fstream>
#include <string>

namespace gradmill::bench {

/// How far the resident memory rises above its size when this is constructed.
class MemoryGrowth {
 public:
  MemoryGrowth() {
    std::ofstream("/proc/self/clear_refs") << 5;  // resets the peak
    start_ = kilobytes("VmRSS:");
  }

  /// From construction to the peak since then.
  std::int64_t bytes() const { return peak_bytes() - start_ * 1024; }

  /// Everything resident at that peak, libraries and data included.
  std::int64_t peak_bytes() const { return kilobytes("VmHWM:") * 1024; }

 private:
  static std::int64_t kilobytes(const std::string& key) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      std::int64_t value = 0;
      if (word == key && status >> value) return value;
    }
    return 0;
  }

  std::int64_t start_;  ///< KiB
};

}  // namespace gradmill::bench
