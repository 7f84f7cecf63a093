#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include <gradmill/runtime/export.h>
#include <gradmill/runtime/short_list.h>

namespace gradmill {

/// The sizes of a dense row-major block; rank 0 is a scalar.
///
/// Every size is at least 1 and the bytes of the block fit in 63 bits whatever its dtype: both are
/// checked on construction, which throws Error. There are no empty tensors.
class GRADMILL_API Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::span<const std::int64_t> sizes);

  int rank() const { return static_cast<int>(sizes_.size()); }
  std::int64_t operator[](int axis) const { return begin()[axis]; }
  std::int64_t elements() const { return elements_; }
  std::vector<std::int64_t> sizes() const { return {begin(), end()}; }
  const std::int64_t* begin() const { return sizes_.begin(); }
  const std::int64_t* end() const { return sizes_.end(); }

  friend bool operator==(const Shape& a, const Shape& b) { return a.sizes_ == b.sizes_; }

 private:
  std::int64_t elements_ = 1;
  ShortList<std::int64_t, 4> sizes_;  // graphs copy shapes all the time
};

/// "[32, 128]"; a scalar is "[]".
GRADMILL_API std::string to_string(const Shape& shape);
GRADMILL_API std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// `axis` counted from the front: -1 is the last. Throws Error unless -rank <= axis < rank.
GRADMILL_API int normalize_axis(int axis, const Shape& shape);

}  // namespace gradmill
