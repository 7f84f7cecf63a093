#pragma once

#include <cstdint>
#include <string_view>

#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// How a parameter's first values are drawn. Each value depends on the session's seed, the
/// parameter's name and the element's index only.
class GRADMILL_API Initializer {
 public:
  /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)), what PyTorch's `nn.Linear` does for weight and bias alike.
  /// Throws Error unless fan_in is positive.
  static Initializer linear(std::int64_t fan_in);
  /// U(low, high). Throws Error unless low <= high and both are finite.
  static Initializer uniform(double low, double high);
  /// N(mean, std). Throws Error unless std >= 0 and both are finite.
  static Initializer normal(double mean = 0.0, double std = 1.0);
  static Initializer zeros() { return constant(0.0); }
  /// Throws Error unless the value is finite.
  static Initializer constant(double value);

  /// Writes all elements. Throws Error for a dtype that is not floating.
  void fill(const Type& type, void* data, std::uint64_t seed, std::string_view name) const;

 private:
  enum class Kind : std::uint8_t { uniform, normal, constant };
  Initializer(Kind kind, double a, double b) : kind_(kind), a_(a), b_(b) {}

  Kind kind_;
  double a_;
  double b_;
};

}  // namespace gradmill
