#pragma once

// Internal: what one line of logits is compared with, and what comes of it. The names are those of
// the derivation in cross_entropy.h.

#include <cmath>
#include <cstdint>

namespace gradmill {

/// q_j = w_j (certain t_j + uniform) + spike [j = label]: the first part is there where targets are
/// probabilities or smoothed, the second for labels.
template <class T>
struct LineTarget {
  const T* weight = nullptr;         ///< w, null for ones
  const T* probabilities = nullptr;  ///< t, null for labels
  T certain = 1;
  T uniform = 0;
  std::int64_t label = -1;  ///< -1 for none
  T spike = 0;

  /// Whether classes besides the label count.
  bool spread() const { return probabilities != nullptr || uniform != 0; }
};

/// A line's loss in parts that lose no digits: with offset = z_label - m, log s is log1p(rest)
/// where the label's logit is the largest.
template <class T>
struct LineLoss {
  T rest;           ///< s without the label's term
  T peak;           ///< the label's term; 0 without a label
  T offset;         ///< z_label - m; -inf without a label
  T spread = 0;     ///< sum_j w_j (certain t_j + uniform)
  T spread_of = 0;  ///< sum_j w_j (certain t_j + uniform) (z_j - m)

  double value(T spike) const {
    // Of f32 numbers that are not tiny, log1p would give nothing that log does not.
    const bool tiny = offset == 0 && (sizeof(T) > sizeof(float) || rest < T(1e-6));
    const double log_s = tiny ? std::log1p(static_cast<double>(rest))
                              : std::log(static_cast<double>(rest) + static_cast<double>(peak));
    double loss = 0;
    if (spike != 0) loss += static_cast<double>(spike) * (log_s - static_cast<double>(offset));
    if (spread != 0 || spread_of != 0) {
      loss += static_cast<double>(spread) * log_s - static_cast<double>(spread_of);
    }
    return loss;
  }
};

/// The gradient at the label, of which the label's share is -spike rest / s: p - 1 without its
/// cancellation. `q` is the spread part of the label's target.
template <class T>
T label_gradient(const LineTarget<T>& target, T rest, T peak, T spread, T q, T scale) {
  const T s = rest + peak;
  return ((peak / s) * spread - q - target.spike * (rest / s)) * scale;
}

}  // namespace gradmill
