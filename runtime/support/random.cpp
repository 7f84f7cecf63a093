#include <gradmill/runtime/support/random.h>

#include <array>
#include <cmath>
#include <numbers>

namespace gradmill {
namespace {

// Multipliers, Weyl constants and round count of Philox4x32-10 in the cited paper.
constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

struct Block {
  std::uint64_t first;
  std::uint64_t second;
};

constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
constexpr std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

Block philox(std::uint64_t key, std::uint64_t index, std::uint64_t stream) {
  std::array<std::uint32_t, 4> counter = {low(index), high(index), low(stream), high(stream)};
  std::uint32_t key0 = low(key);
  std::uint32_t key1 = high(key);
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {high(product1) ^ counter[1] ^ key0, low(product1),
               high(product0) ^ counter[3] ^ key1, low(product0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return {(std::uint64_t{counter[1]} << 32) | counter[0],
          (std::uint64_t{counter[3]} << 32) | counter[2]};
}

double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

}  // namespace

std::uint64_t Philox::bits(std::uint64_t index) const {
  return philox(seed_, index, stream_).first;
}

double Philox::uniform(std::uint64_t index) const { return unit(bits(index)); }

double Philox::normal(std::uint64_t index) const {
  const Block block = philox(seed_, index, stream_);
  // 1 - u is in (0, 1], where the logarithm is finite.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(block.first)));
  return radius * std::cos(2.0 * std::numbers::pi * unit(block.second));
}

}  // namespace gradmill
