#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <gradmill/runtime/export.h>

namespace gradmill {

/// Element types. Floating types are computed with; `i64` holds class labels and indices.
enum class DType : std::uint8_t { f32, f64, i64 };

/// Bytes of one element. Throws Error when there is no such type.
GRADMILL_API std::size_t size_of(DType dtype);

/// "f32", "f64" or "i64"; "dtype 200" for a number that is no type.
GRADMILL_API std::string to_string(DType dtype);

/// Whether it is one of the types above.
constexpr bool is_known(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::f64:
    case DType::i64: return true;
  }
  return false;
}

/// True for f32 and f64.
constexpr bool is_floating(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::f64: return true;
    case DType::i64: return false;
  }
  return false;
}

/// Throws Error: "dtype 200 is none of f32, f64 and i64".
[[noreturn]] GRADMILL_API void refuse_unknown(DType dtype);
/// Throws Error: "needs f32 or f64, got i64".
[[noreturn]] GRADMILL_API void refuse_not_floating(DType dtype);

/// Returns body(T()) for the C++ element type T of `dtype`. Code that differs by type goes through
/// this or one of the two below, so that a new type is not forgotten. Throws Error for a number
/// that is no type.
template <class Body>
decltype(auto) visit_dtype(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32: return body(0.0F);
    case DType::f64: return body(0.0);
    case DType::i64: return body(std::int64_t{0});
  }
  refuse_unknown(dtype);
}

/// The same for types that are computed with. Throws Error for others.
template <class Body>
decltype(auto) visit_floating(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32: return body(0.0F);
    case DType::f64: return body(0.0);
    case DType::i64: break;
  }
  refuse_not_floating(dtype);
}

/// Returns body(U()) for an unsigned integer U of an element's size: for code that moves elements
/// and does not look at them. Throws Error for a number that is no type.
template <class Body>
decltype(auto) visit_bits(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32: return body(std::uint32_t{0});
    case DType::f64:
    case DType::i64: return body(std::uint64_t{0});
  }
  refuse_unknown(dtype);
}

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
