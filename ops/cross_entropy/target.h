#pragma once

// What one line of logits is compared with, and what comes of it. The names are those of the
// derivation in cross_entropy.h.

#include <cmath>
#include <cstdint>

namespace gradmill {

/// q_j = w_j (certain t_j + uniform) + label_weight [j = label]: the first part is there where
/// targets are probabilities or smoothed, the second for labels.
template <class T>
struct LineTarget {
  const T* weight = nullptr;         ///< w, null for ones
  const T* probabilities = nullptr;  ///< t, null for labels
  T certain = 1;                     ///< 1 - e
  T uniform = 0;                     ///< e / C
  std::int64_t label = -1;           ///< -1 for none
  T label_weight = 0;                ///< (1 - e) w_label

  /// Whether classes besides the label count.
  bool spread() const { return probabilities != nullptr || uniform != 0; }
};

/// g of each line: upstream over the loss's divisor.
template <class T>
struct LineScale {
  /// `upstream` is null where there is no gradient to compute, one number where the loss is
  /// `reduced`, or else one per line.
  LineScale(const T* upstream, bool reduced, double divisor)
      : per_line(reduced ? nullptr : upstream) {
    if (reduced && upstream != nullptr) {
      common = static_cast<T>(static_cast<double>(*upstream) / divisor);
    }
  }

  T of(std::int64_t line) const { return per_line == nullptr ? common : per_line[line]; }

  const T* per_line;  ///< null where all have `common`
  T common = 0;
};

/// A line's loss in parts that lose no digits: with offset = z_label - m, log s is
/// log1p(other_terms) where the label's logit is the largest.
template <class T>
struct LineLoss {
  T other_terms;    ///< s without the label's term
  T label_term;     ///< exp(z_label - m); 0 without a label
  T offset;         ///< z_label - m; -inf without a label
  T spread = 0;     ///< sum_j w_j (certain t_j + uniform)
  T spread_of = 0;  ///< sum_j w_j (certain t_j + uniform) (z_j - m)

  double value(T label_weight) const {
    // Of f32 numbers that are not tiny, log1p would give nothing that log does not.
    const bool tiny = offset == 0 && (sizeof(T) > sizeof(float) || other_terms < T(1e-6));
    const double log_s =
        tiny ? std::log1p(static_cast<double>(other_terms))
             : std::log(static_cast<double>(other_terms) + static_cast<double>(label_term));
    double loss = 0;
    if (label_weight != 0) {
      loss += static_cast<double>(label_weight) * (log_s - static_cast<double>(offset));
    }
    if (spread != 0 || spread_of != 0) {
      loss += static_cast<double>(spread) * log_s - static_cast<double>(spread_of);
    }
    return loss;
  }
};

/// The gradient at the label, of which the label's share is -label_weight other_terms / s: p - 1
/// without its cancellation. `q` is the spread part of the label's target.
template <class T>
T label_gradient(const LineTarget<T>& target, T other_terms, T label_term, T spread, T q, T scale) {
  const T s = other_terms + label_term;
  return ((label_term / s) * spread - q - target.label_weight * (other_terms / s)) * scale;
}

}  // namespace gradmill
