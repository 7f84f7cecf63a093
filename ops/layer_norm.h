#pragma once

#include <gradmill/graph/value.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradmill {

struct LayerNormOptions {
  Value weight = {};  ///< of the normalized shape and x's dtype; null for ones
  Value bias = {};    ///< likewise; null for zeros
  double eps = 1e-5;
};

/// `torch.nn.functional.layer_norm`: each row of `x`, which is what lies along its last axes, those
/// of `normalized_shape`, is normalized, f32 or f64, the result of x's shape. Over a row's n
/// elements,
///   y_i = w_i h_i + b_i,   h_i = (x_i - m) r,   m = mean x,   r = 1 / sqrt(mean (x - m)^2 + eps).
///
/// The gradient. With g = dy w and, since dh_i / dx_k = r ([i = k] - 1/n - h_i h_k / n),
///   dx = r (g - mean g - h mean(g h)),   dw = sum dy h,   db = sum dy,
/// the means over a row, the sums over all rows. m and r of each row are kept for it.
///
/// One pass over memory each way: a row is in the cache when it is read again. The mean square is
/// taken of the differences from the mean and corrected for that one's rounding, so that it stays
/// right where the mean is many times what the row varies by. A row with a NaN or an infinity is
/// NaN. dw and db are summed over blocks of rows, the same for any number of threads.
///
/// Throws Error for a dtype that is not floating, a normalized shape that is empty or not the end
/// of x's, a weight or bias of another shape or dtype, and an eps below 0 or NaN.
///
/// J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer Normalization", 2016.
GRADMILL_API Value layer_norm(Value x, std::vector<std::int64_t> normalized_shape,
                              const LayerNormOptions& options = {}, std::string name = {});

struct RmsNormOptions {
  Value weight = {};               ///< of the normalized shape and x's dtype; null for ones
  std::optional<double> eps = {};  ///< none: the distance from 1 to the next number of x's dtype
};

/// `torch.nn.functional.rms_norm`: as `layer_norm`, without the mean:
///   y_i = w_i h_i,   h_i = x_i r,   r = 1 / sqrt(mean x^2 + eps).
/// The gradient: dx = r (g - h mean(g h)) with g = dy w, and dw = sum dy h. Elements whose square
/// overflows give 0 or NaN, as in PyTorch. Throws as `layer_norm`.
///
/// B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.
GRADMILL_API Value rms_norm(Value x, std::vector<std::int64_t> normalized_shape,
                            const RmsNormOptions& options = {}, std::string name = {});

}  // namespace gradmill
