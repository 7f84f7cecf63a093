#pragma once

// Elementwise functions as objects: all that an op's kernel, the epilogue of a product or another
// kernel must know of one. An op makes its own with the macros of elementwise/rows-inl.h; there is
// no list of them.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace gradmill {

/// The numbers that a function has besides its arguments, such as beta and threshold of softplus.
using FunctionParameters = std::array<double, 2>;

/// y[i] = f(x[i]) for i < n; y may be x.
template <class T>
using UnaryRow = void (*)(const T* x, T* y, std::int64_t n, const FunctionParameters& parameters);

/// y[i] = f(a[i * a_stride], b[i * b_stride]) for i < n, strides 0 or 1; y may be an operand of
/// stride 1.
template <class T>
using BinaryRow = void (*)(const T* a, int a_stride, const T* b, int b_stride, T* y, std::int64_t n,
                           const FunctionParameters& parameters);

/// A function on one instruction set.
struct UnaryRows {
  UnaryRow<float> f32;
  UnaryRow<double> f64;
};
struct BinaryRows {
  BinaryRow<float> f32;
  BinaryRow<double> f64;
};

/// y = f(x). A result depends on its own element, the parameters and the instruction set only,
/// wherever in a row it stands.
struct UnaryFunction {
  std::string_view name;
  UnaryRow<float> f32;
  UnaryRow<double> f64;
  bool costly = false;           ///< takes a polynomial rather than an instruction
  bool follows_product = false;  ///< a product may do this to its tiles while they are in cache
  FunctionParameters parameters = {};

  UnaryFunction with(const FunctionParameters& own) const {
    UnaryFunction function = *this;
    function.parameters = own;
    return function;
  }
  void operator()(const float* x, float* y, std::int64_t n) const { f32(x, y, n, parameters); }
  void operator()(const double* x, double* y, std::int64_t n) const { f64(x, y, n, parameters); }
  friend bool operator==(const UnaryFunction&, const UnaryFunction&) = default;
};

/// y = f(a, b), in the same way.
struct BinaryFunction {
  std::string_view name;
  BinaryRow<float> f32;
  BinaryRow<double> f64;
  bool costly = false;
  bool follows_product = false;  ///< where the product is `a` and `b` has its shape
  FunctionParameters parameters = {};

  BinaryFunction with(const FunctionParameters& own) const {
    BinaryFunction function = *this;
    function.parameters = own;
    return function;
  }
  void operator()(const float* a, int a_stride, const float* b, int b_stride, float* y,
                  std::int64_t n) const {
    f32(a, a_stride, b, b_stride, y, n, parameters);
  }
  void operator()(const double* a, int a_stride, const double* b, int b_stride, double* y,
                  std::int64_t n) const {
    f64(a, a_stride, b, b_stride, y, n, parameters);
  }
  friend bool operator==(const BinaryFunction&, const BinaryFunction&) = default;
};

/// "parameters=1,20"; empty where all are 0, as they are for a function without any.
std::string to_string(const FunctionParameters& parameters);

/// Its name, and its parameters if it has any: "relu", "softplus(parameters=1,20)".
std::string to_string(const UnaryFunction& function);
std::string to_string(const BinaryFunction& function);

}  // namespace gradmill
