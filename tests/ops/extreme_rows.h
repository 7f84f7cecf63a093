#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/op_check.h"

namespace gradmill {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline const double kNan = std::numeric_limits<double>::quiet_NaN();

/// The obvious softmax of one row, in long double.
struct LongRow {
  explicit LongRow(std::vector<double> row) : x(std::move(row)) {
    const auto n = x.size();
    for (std::size_t i = 1; i < n; ++i) {
      if (!(x[i] <= x[most])) most = i;
    }
    for (std::size_t i = 0; i < n; ++i) {
      others += i == most ? 0 : std::exp(offset(i));
      nan = nan || std::isnan(x[i]);
    }
    nan = nan || std::isinf(x[most]);
  }
  long double offset(std::size_t i) const {
    return static_cast<long double>(x[i]) - static_cast<long double>(x[most]);
  }
  long double probability(std::size_t i) const {
    return nan ? kNan : std::exp(offset(i)) / (1 + others);
  }
  long double logarithm(std::size_t i) const { return nan ? kNan : offset(i) - std::log1p(others); }
  /// 1 - p_i, without cancellation.
  long double complement(std::size_t i) const {
    if (nan) return kNan;
    long double sum = 0;
    for (std::size_t j = 0; j < x.size(); ++j) sum += j == i ? 0 : std::exp(offset(j));
    return sum / (1 + others);
  }

  std::vector<double> x;
  std::size_t most = 0;
  bool nan = false;        ///< no finite maximum: PyTorch gives NaN for the whole row
  long double others = 0;  ///< the sum of exp(x_j - m) but for one largest
};

/// Rows of every size of number that T has.
template <class T>
std::vector<std::vector<double>> extreme_rows() {
  using Limits = std::numeric_limits<T>;
  const double max = Limits::max();
  const double min = Limits::min();
  const double denormal = Limits::denorm_min();
  const double below_max = std::nextafter(Limits::max(), T(0));
  const T big = static_cast<T>(sizeof(T) == 4 ? 1e30 : 1e300);
  const double below_big = std::nextafter(big, T(0));
  std::vector<std::vector<double>> rows = {
      {0, -big},
      {big, below_big},
      {big, below_big, big},
      {-big, -below_big},
      {big, -big, 0},
      {big, big, big},
      {1e30, -1e30, 0},
      {1e-30, -1e-30, 0},
      {denormal, -denormal, 0, 3 * denormal},
      {min, -min, min / 2, -min / 2},
      {max, -max},
      {-max, max, 0, max},
      {max, below_max},
      {-max, -max, -below_max},
      {max, -kInf, -max},
      {-kInf, 0, 1},
      {-kInf, 5, -kInf, -kInf},
      {-kInf, -big},
      {0},
      {5},
      {-big},
      {max},
      {-max},
      {denormal},
      {20, 0},
      {0, 30, 1},
      {80, 0, 1},
      // No finite maximum.
      {-kInf},
      {-kInf, -kInf, -kInf},
      {kInf},
      {kInf, 0, 1},
      {kInf, kInf},
      {-kInf, kInf},
      {0, kInf, max},
      {kNan},
      {0, kNan, 1},
      {kNan, -kInf},
      {-kInf, -kInf, kNan},
      {kInf, kNan},
      {max, kNan},
  };
  // exp(x - m) from the last normal numbers through all denormal ones to zero.
  const double last = sizeof(T) == 4 ? 86 : 706;
  for (int k = 0; k < 44; ++k) rows.push_back({0, -(last + 0.99 * k), 1});
  return rows;
}

/// The row among entries of -inf, which change nothing, so that it is longer than any vector and
/// its entries stand in many lanes.
inline std::vector<double> among_nothing(const std::vector<double>& row) {
  std::vector<double> wide(43, -kInf);
  for (std::size_t i = 0; i < row.size(); ++i) wide[(7 + 11 * i) % wide.size()] = row[i];
  return wide;
}

/// How far a result may be: relative to it, and absolute.
struct Allowed {
  long double relative = 0;
  long double absolute = 0;
};

/// Whether `actual` is `exact` rounded to T, within what is allowed. What overflows T is inf.
template <class T>
bool agrees(double actual, long double exact, Allowed allowed) {
  if (std::isnan(exact)) return std::isnan(actual);
  const auto nearest = static_cast<T>(exact);
  if (static_cast<T>(actual) == nearest) return true;
  return std::abs(static_cast<long double>(actual) - exact) <=
         allowed.relative * std::abs(exact) + allowed.absolute;
}

inline std::string text_of(const std::vector<double>& row) {
  std::string text;
  for (const double value : row) text += cat(text.empty() ? "[" : ", ", value);
  return text + "]";
}

}  // namespace gradmill
