#pragma once

#include <gradmill/graph/value.h>

#include <cstdint>
#include <string>

namespace gradmill {

/// max(x, 0), element by element, any shape, f32 or f64; NaN stays NaN. The gradient is 0 where
/// the result is 0 and dy elsewhere, as in PyTorch.
/// Throws Error for a dtype that is not floating.
GRADMILL_API Value relu(Value x, std::string name = {});

/// How `gelu` computes the normal distribution: as it is, or by Hendrycks and Gimpel's formula.
enum class Approximate : std::uint8_t { none, tanh };

/// `torch.nn.functional.gelu`, element by element, any shape, f32 or f64: y = x P(x), where P(x) =
/// (1 + erf(x / sqrt 2)) / 2 is the probability that a standard normal number is below x. With
/// `Approximate::tanh`, half as costly,
///   P(x) = (1 + tanh u) / 2 = 1 / (1 + e^-2u),   u = sqrt(2 / pi) (x + 0.044715 x^3).
/// dx = dy (P(x) + x P'(x)), one pass over dy and x.
///
/// Right to a few roundings of y also where P is tiny, but for the e^(-x^2 / 2) in it, which has a
/// relative error of x^2 / 2 roundings (u with tanh): y keeps its digits where PyTorch's 1 + erf
/// and 1 + tanh cancel. NaN gives NaN, as do -inf and the gradient at both infinities, as in
/// PyTorch. Throws Error for a dtype that is not floating.
///
/// D. Hendrycks and K. Gimpel, "Gaussian Error Linear Units (GELUs)", 2016.
GRADMILL_API Value gelu(Value x, Approximate approximate = Approximate::none,
                        std::string name = {});

/// `torch.nn.functional.silu`: y = x s(x) with s(x) = 1 / (1 + e^-x), element by element, any
/// shape, f32 or f64; dx = dy (s + x s (1 - s)), one pass over dy and x. NaN and infinities as with
/// `gelu`. Throws Error for a dtype that is not floating.
GRADMILL_API Value silu(Value x, std::string name = {});

}  // namespace gradmill
