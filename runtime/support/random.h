#pragma once

#include <cstdint>

#include <gradmill/runtime/export.h>

namespace gradmill {

/// A counter-based generator: every number is a pure function of seed, stream and index, so it may
/// be drawn in any order, by any thread. Philox4x32-10: J. K. Salmon et al., "Parallel random
/// numbers: as easy as 1, 2, 3", SC 2011.
class GRADMILL_API Philox {
 public:
  /// `stream` sets apart the users of one seed (a parameter, a node, an epoch).
  Philox(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  /// 64 random bits.
  std::uint64_t bits(std::uint64_t index) const;
  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform(std::uint64_t index) const;
  /// Standard normal, by the Box-Muller transform of two uniforms made from one counter.
  double normal(std::uint64_t index) const;

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace gradmill
