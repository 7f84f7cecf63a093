#pragma once

// Internal: the vector loops of the elementwise ops, over rows of memory.

#include <cstdint>
#include <string_view>

namespace gradmill {

/// y = f(x).
enum class Unary : std::uint8_t {
  neg,
  exp,
  log,
  sqrt,
  tanh,
  sigmoid,
  relu,
  gelu,
  gelu_tanh,
  silu,
};

/// y = f(a, b). The last seven are parts of gradients:
///   relu_backward = b <= 0 ? 0 : a,  tanh_backward = a (1 - b^2),  sigmoid_backward = a b (1 - b),
///   gelu_backward, gelu_tanh_backward, silu_backward = a f'(b),  equal = a == b ? 1 : 0.
enum class Binary : std::uint8_t {
  add,
  sub,
  mul,
  div,
  relu_backward,
  tanh_backward,
  sigmoid_backward,
  gelu_backward,
  gelu_tanh_backward,
  silu_backward,
  equal,
};

std::string_view to_string(Unary kind);
std::string_view to_string(Binary kind);

/// y[i] = f(x[i]) for i < n; y may be x. A result depends on its own element and the instruction
/// set only, wherever in a row it stands.
void apply_unary(Unary kind, const float* x, float* y, std::int64_t n);
void apply_unary(Unary kind, const double* x, double* y, std::int64_t n);

/// y[i] = f(a[i * a_stride], b[i * b_stride]) for i < n, strides 0 or 1; y may be an operand of
/// stride 1.
void apply_binary(Binary kind, const float* a, int a_stride, const float* b, int b_stride, float* y,
                  std::int64_t n);
void apply_binary(Binary kind, const double* a, int a_stride, const double* b, int b_stride,
                  double* y, std::int64_t n);

}  // namespace gradmill
