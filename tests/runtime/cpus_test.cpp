#include <gradmill/runtime/threads/cpus.h>
#include <gtest/gtest.h>
#include <sched.h>
#include "support/temp_folder.h"

#include <cmath>
#include <filesystem>
#include <thread>

namespace gradmill {
namespace {

class CgroupQuota : public testing::Test {
 protected:
  void file(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    write_text(path.string(), text);
  }
  double quota(const std::string& membership) const {
    return cgroup_quota(membership, folder_.path().string());
  }

 private:
  TempFolder folder_;
};

TEST_F(CgroupQuota, IsInfiniteWithoutFiles) {
  EXPECT_TRUE(std::isinf(quota("")));
  EXPECT_TRUE(std::isinf(quota("0::/\n")));
  EXPECT_TRUE(std::isinf(quota("nonsense\n1:\n")));
}

TEST_F(CgroupQuota, ReadsVersion2) {
  file("a/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota("0::/a\n"), 1.5);
  EXPECT_TRUE(std::isinf(quota("0::/\n")));
}

TEST_F(CgroupQuota, MaxStandsForNone) {
  file("cpu.max", "max 100000\n");
  EXPECT_TRUE(std::isinf(quota("0::/\n")));
}

TEST_F(CgroupQuota, TakesTheSmallestOfAllLevels) {
  file("cpu.max", "800000 100000");
  file("a/cpu.max", "200000 100000");
  file("a/b/cpu.max", "max 100000");
  file("a/b/c/cpu.max", "400000 100000");
  EXPECT_EQ(quota("0::/a/b/c\n"), 2);
  EXPECT_EQ(quota("0::/x/y\n"), 8);
}

TEST_F(CgroupQuota, ReadsVersion1) {
  file("cpu,cpuacct/docker/1/cpu.cfs_quota_us", "300000\n");
  file("cpu,cpuacct/docker/1/cpu.cfs_period_us", "100000\n");
  file("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  file("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota("5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n0::/x\n"), 3);
  EXPECT_TRUE(std::isinf(quota("4:cpuset:/docker/1\n")));
}

TEST_F(CgroupQuota, StaysInsideTheRoot) {
  file("cpu.max", "100000 100000");
  EXPECT_EQ(quota("0::/../../etc\n"), 1);
}

TEST_F(CgroupQuota, PassesOverBrokenFiles) {
  file("cpu.max", "");
  file("a/cpu.max", "0 0");
  file("a/b/cpu.max", "many");
  EXPECT_TRUE(std::isinf(quota("0::/a/b\n")));
}

TEST(AllowedCpus, FollowsTheAffinityMask) {
  const int all = allowed_cpus();
  EXPECT_GE(all, 1);
  // On a thread of its own, whose mask ends with it.
  std::thread([all] {
    cpu_set_t set;
    ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
    EXPECT_LE(all, CPU_COUNT(&set));
    int first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
    EXPECT_EQ(allowed_cpus(), 1);
  }).join();
}

}  // namespace
}  // namespace gradmill
