#pragma once

// What a kernel's workspace or scratch is divided into.

#include <cstddef>
#include <cstdint>

#include <gradmill/runtime/support/alignment.h>

namespace gradmill {

/// A part of a block of bytes, by where it starts.
template <class T>
struct BlockPart {
  std::size_t offset = 0;

  /// Its elements in the block that starts at `block`.
  T* in(std::byte* block) const { return reinterpret_cast<T*>(block + offset); }
};

/// Parts one behind the other, each on a cache line of its own: one description for how many bytes
/// a block takes and where in it everything is.
///
///   BlockLayout layout;
///   const BlockPart<double> sums = layout.add<double>(tiles);   // workspace_bytes: layout.bytes()
///   ... sums.in(run.workspace<std::byte>())[tile] = ...
class BlockLayout {
 public:
  /// Room for `count` elements.
  template <class T>
  BlockPart<T> add(std::int64_t count) {
    const BlockPart<T> part{bytes_};
    bytes_ += align_up(static_cast<std::size_t>(count) * sizeof(T));
    return part;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

}  // namespace gradmill
