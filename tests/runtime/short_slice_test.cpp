#include <gradmill/runtime/threads/short_slice.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace gradmill {
namespace {

// The system's sched_attr, whose header clashes with the C library's.
struct Attributes {
  std::uint32_t size = sizeof(Attributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

Attributes attributes() {
  Attributes found;
  EXPECT_EQ(syscall(SYS_sched_getattr, 0, &found, sizeof found, 0), 0);
  return found;
}

bool set_slice(std::uint64_t nanoseconds) {
  Attributes wanted = attributes();
  wanted.runtime = nanoseconds;
  return syscall(SYS_sched_setattr, 0, &wanted, 0) == 0 && attributes().runtime == nanoseconds;
}

TEST(ShortSlice, OnlyTheSliceChangesAndItIsPutBack) {
  const Attributes before = attributes();
  {
    const ShortSlice slice;
    const Attributes inside = attributes();
    EXPECT_LE(inside.runtime, before.runtime);
    EXPECT_EQ(inside.policy, before.policy);
    EXPECT_EQ(inside.nice, before.nice);
    EXPECT_EQ(inside.flags, before.flags);
  }
  EXPECT_EQ(attributes().runtime, before.runtime);
}

TEST(ShortSlice, IsAsShortAsTheSystemGrants) {
  const std::uint64_t before = attributes().runtime;
  if (!set_slice(5'000'000)) GTEST_SKIP() << "this system lets no thread choose its slice";
  {
    const ShortSlice slice;
    EXPECT_EQ(attributes().runtime, 100'000U);
    const ShortSlice nested;
    EXPECT_EQ(attributes().runtime, 100'000U);
  }
  EXPECT_EQ(attributes().runtime, 5'000'000U) << "the caller's own choice";
  set_slice(before);
}

}  // namespace
}  // namespace gradmill
