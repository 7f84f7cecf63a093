#include <gradmill/graph/initializer.h>
#include <gradmill/runtime/support/random.h>

#include <cmath>

namespace gradmill {
namespace {

// FNV-1a, 64 bits: the same on every platform, unlike std::hash.
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : text) {
    h ^= static_cast<unsigned char>(c);
    h *= 0x100000001b3;
  }
  return h;
}

template <class Draw>
void write(const Type& type, void* data, const Draw& draw) {
  visit_floating(type.dtype, [&](auto element) {
    using T = decltype(element);
    T* out = static_cast<T*>(data);
    const std::int64_t count = type.shape.elements();
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = static_cast<T>(draw(static_cast<std::uint64_t>(i)));
    }
  });
}

}  // namespace

Initializer Initializer::linear(std::int64_t fan_in) {
  check(fan_in > 0, "initializer 'linear': fan_in must be positive, got ", fan_in);
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return uniform(-bound, bound);
}

Initializer Initializer::uniform(double low, double high) {
  check(std::isfinite(low) && std::isfinite(high) && low <= high,
        "initializer 'uniform': low <= high must hold and both be finite, got low ", low, ", high ",
        high);
  return {Kind::uniform, low, high};
}

Initializer Initializer::normal(double mean, double std) {
  check(std::isfinite(mean) && std::isfinite(std) && std >= 0,
        "initializer 'normal': std >= 0 must hold and both be finite, got mean ", mean, ", std ",
        std);
  return {Kind::normal, mean, std};
}

Initializer Initializer::constant(double value) {
  check(std::isfinite(value), "initializer constant: the value must be finite, got ", value);
  return {Kind::constant, value, 0.0};
}

void Initializer::fill(const Type& type, void* data, std::uint64_t seed,
                       std::string_view name) const {
  check(is_floating(type.dtype), "initializer of '", name, "': the dtype must be f32 or f64, got ",
        type);
  const Philox random(seed, hash(name));
  switch (kind_) {
    case Kind::uniform:
      // lerp: neither the difference of the bounds overflows, nor does equality round.
      write(type, data, [&](std::uint64_t i) { return std::lerp(a_, b_, random.uniform(i)); });
      break;
    case Kind::normal:
      write(type, data, [&](std::uint64_t i) { return a_ + b_ * random.normal(i); });
      break;
    case Kind::constant: write(type, data, [&](std::uint64_t) { return a_; }); break;
  }
}

}  // namespace gradmill
