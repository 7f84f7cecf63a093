#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <gradmill/runtime/export.h>

namespace gradmill {

/// Element types. Floating types are computed with; `i64` holds class labels and indices.
enum class DType : std::uint8_t { f32, f64, i64 };

/// Bytes of one element.
GRADMILL_API std::size_t size_of(DType dtype);

/// "f32", "f64" or "i64".
GRADMILL_API std::string_view to_string(DType dtype);

/// True for f32 and f64.
constexpr bool is_floating(DType dtype) { return dtype != DType::i64; }

template <class T>
concept Element = std::is_same_v < std::remove_cv_t<T>,
float > || std::is_same_v<std::remove_cv_t<T>, double> ||
    std::is_same_v<std::remove_cv_t<T>, std::int64_t>;

/// The DType of a C++ element type.
template <Element T>
constexpr DType dtype_of() {
  using U = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<U, float>) return DType::f32;
  if constexpr (std::is_same_v<U, double>) return DType::f64;
  return DType::i64;
}

}  // namespace gradmill
