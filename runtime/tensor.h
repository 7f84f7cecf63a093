#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <gradmill/runtime/dtype.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/shape.h>

namespace gradmill {

/// What a block of memory means: element type and sizes.
struct Type {
  DType dtype = DType::f32;
  Shape shape;

  std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * size_of(dtype); }
  friend bool operator==(const Type&, const Type&) = default;
};

/// "f32 [32, 128]".
GRADMILL_API std::string to_string(const Type& type);
GRADMILL_API std::ostream& operator<<(std::ostream& out, const Type& type);

/// A dense row-major tensor somewhere in memory; owns nothing.
struct TensorView {
  Type type;
  const void* data = nullptr;

  /// The elements. Throws Error when T is not the tensor's dtype.
  template <Element T>
  std::span<const T> as() const {
    check(dtype_of<T>() == type.dtype, "a tensor of ", to_string(type.dtype), " read as ",
          to_string(dtype_of<T>()));
    return {static_cast<const T*>(data), static_cast<std::size_t>(type.shape.elements())};
  }
};

}  // namespace gradmill
