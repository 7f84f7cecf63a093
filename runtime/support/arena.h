#pragma once

#include <cstddef>

#include <gradmill/runtime/export.h>

namespace gradmill {

/// One block of zeroed bytes, aligned to a page.
class GRADMILL_API Arena {
 public:
  Arena() = default;
  /// Throws Failure when the system has no such block.
  explicit Arena(std::size_t bytes);
  ~Arena();
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace gradmill
