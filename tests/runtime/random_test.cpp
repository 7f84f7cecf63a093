#include <gradmill/runtime/support/random.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace gradmill {
namespace {

// Counter, key and result words, as published with the Random123 library for philox4x32-10.
struct Vector {
  std::array<std::uint32_t, 4> counter;
  std::array<std::uint32_t, 2> key;
  std::array<std::uint32_t, 4> result;
};
constexpr std::array<Vector, 3> kVectors = {{
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
}};

std::uint64_t join(std::uint32_t low, std::uint32_t high) {
  return (std::uint64_t{high} << 32) | low;
}

TEST(Philox, GivesThePublishedNumbers) {
  for (const Vector& v : kVectors) {
    const Philox random(join(v.key[0], v.key[1]), join(v.counter[2], v.counter[3]));
    const std::uint64_t index = join(v.counter[0], v.counter[1]);
    const std::uint64_t first = join(v.result[0], v.result[1]);
    const std::uint64_t second = join(v.result[2], v.result[3]);
    EXPECT_EQ(random.bits(index), first);
    const double u = static_cast<double>(first >> 11) / 9007199254740992.0;
    const double angle = static_cast<double>(second >> 11) / 9007199254740992.0;
    EXPECT_EQ(random.uniform(index), u);
    EXPECT_DOUBLE_EQ(random.normal(index),
                     std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * std::numbers::pi * angle));
  }
}

TEST(Philox, DependsOnSeedStreamAndIndex) {
  EXPECT_EQ(Philox(1, 2).bits(3), Philox(1, 2).bits(3));
  std::vector<std::uint64_t> drawn;
  for (std::uint64_t seed : {0, 1}) {
    for (std::uint64_t stream : {0, 1}) {
      for (std::uint64_t index : {0, 1, 2}) drawn.push_back(Philox(seed, stream).bits(index));
    }
  }
  drawn.push_back(Philox(std::uint64_t{1} << 32, 0).bits(0));
  drawn.push_back(Philox(0, std::uint64_t{1} << 32).bits(0));
  drawn.push_back(Philox(0, 0).bits(std::uint64_t{1} << 32));
  std::ranges::sort(drawn);
  EXPECT_EQ(std::ranges::adjacent_find(drawn), drawn.end());
}

constexpr int kDraws = 200'000;

TEST(Philox, UniformIsEvenOverTheUnitInterval) {
  const Philox random(42, 7);
  constexpr int kBins = 100;
  std::array<int, kBins> bins{};
  double sum = 0;
  double product = 0;
  double previous = 0.5;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    ++bins[static_cast<std::size_t>(u * kBins)];
    sum += u;
    product += (u - 0.5) * (previous - 0.5);
    previous = u;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(product / kDraws, 0.0, 5 * (1.0 / 12) / std::sqrt(kDraws));
  double chi2 = 0;
  for (const int count : bins) {
    chi2 += std::pow(count - kDraws / kBins, 2) / (static_cast<double>(kDraws) / kBins);
  }
  // Mean 99, standard deviation 14: five of them either way.
  EXPECT_GT(chi2, 29);
  EXPECT_LT(chi2, 169);
}

TEST(Philox, NormalHasTheMomentsOfTheNormalDistribution) {
  const Philox random(42, 7);
  double sum = 0;
  double square = 0;
  double cube = 0;
  double fourth = 0;
  int beyond = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double z = random.normal(static_cast<std::uint64_t>(i));
    ASSERT_TRUE(std::isfinite(z));
    sum += z;
    square += z * z;
    cube += z * z * z;
    fourth += z * z * z * z;
    if (std::abs(z) > 1.959963984540054) ++beyond;
  }
  const double root = std::sqrt(kDraws);
  EXPECT_NEAR(sum / kDraws, 0, 5 / root);
  EXPECT_NEAR(square / kDraws, 1, 5 * std::sqrt(2.0) / root);
  EXPECT_NEAR(cube / kDraws, 0, 5 * std::sqrt(15.0) / root);
  EXPECT_NEAR(fourth / kDraws, 3, 5 * std::sqrt(96.0) / root);
  EXPECT_NEAR(static_cast<double>(beyond) / kDraws, 0.05, 5 * std::sqrt(0.05 * 0.95) / root);
}

}  // namespace
}  // namespace gradmill
