#include <gmock/gmock.h>
#include <gradmill/runtime/support/arena.h>
#include <gtest/gtest.h>
#include "support/error_of.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace gradmill {
namespace {

TEST(Arena, IsZeroedAndAlignedToAPage) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4097}, std::size_t{5} << 20}) {
    const Arena arena(bytes);
    EXPECT_EQ(arena.size(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.data()) % 4096, 0U);
    EXPECT_TRUE(std::ranges::all_of(std::span(arena.data(), bytes),
                                    [](std::byte b) { return b == std::byte{0}; }));
    arena.data()[bytes - 1] = std::byte{1};
  }
}

TEST(Arena, MayBeEmpty) {
  EXPECT_EQ(Arena().size(), 0U);
  EXPECT_EQ(Arena(0).data(), nullptr);
}

TEST(Arena, MovesItsBlock) {
  Arena first(64);
  std::byte* const data = first.data();
  Arena second(std::move(first));
  EXPECT_EQ(second.data(), data);
  Arena third(128);
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(third.size(), 64U);
}

TEST(Arena, ReportsThatMemoryIsShort) {
  EXPECT_THAT(error_of<Failure>([] { Arena(std::size_t{1} << 62); }),
              testing::HasSubstr("out of memory: no block of 4611686018427387904 bytes"));
}

}  // namespace
}  // namespace gradmill
