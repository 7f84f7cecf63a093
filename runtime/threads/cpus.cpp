#include <gradmill/runtime/threads/cpus.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <thread>

namespace gradmill {
namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

double cores(double quota, double period) {
  return quota > 0 && period > 0 ? quota / period : kNoQuota;
}

// cgroup v2: "200000 100000", or "max 100000" for none.
double quota_v2(const std::filesystem::path& folder) {
  std::ifstream file(folder / "cpu.max");
  double quota = 0;
  double period = 0;
  return file >> quota >> period ? cores(quota, period) : kNoQuota;
}

// cgroup v1: two files; a quota of -1 stands for none.
double quota_v1(const std::filesystem::path& folder) {
  std::ifstream quota_file(folder / "cpu.cfs_quota_us");
  std::ifstream period_file(folder / "cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  return quota_file >> quota && period_file >> period ? cores(quota, period) : kNoQuota;
}

// Levels that are not there are passed over: inside a container the path may be the host's.
double smallest_quota(const std::filesystem::path& mount, const std::string& group,
                      double (*quota)(const std::filesystem::path&)) {
  std::filesystem::path folder = mount;
  double smallest = quota(folder);
  for (const auto& part : std::filesystem::path(group).relative_path()) {
    if (part == "..") break;  // a group outside of this namespace
    folder /= part;
    smallest = std::min(smallest, quota(folder));
  }
  return smallest;
}

}  // namespace

double cgroup_quota(const std::string& membership, const std::string& root) {
  double smallest = kNoQuota;
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    // "hierarchy:controllers:path", where the path may hold colons.
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      smallest = std::min(smallest, smallest_quota(root, group, quota_v2));
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      const std::filesystem::path mounts = root;
      smallest = std::min({smallest, smallest_quota(mounts / "cpu", group, quota_v1),
                           smallest_quota(mounts / controllers, group, quota_v1)});
    }
  }
  return smallest;
}

std::vector<int> affinity_cpus() {
  std::vector<int> numbers;
  // The kernel's mask may be wider than cpu_set_t: grow until it fits.
  for (int cpus = CPU_SETSIZE; cpus <= (1 << 20); cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    const bool ok = sched_getaffinity(0, bytes, set) == 0;
    const bool too_small = !ok && errno == EINVAL;
    for (int cpu = 0; ok && cpu < cpus; ++cpu) {
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set)) numbers.push_back(cpu);
    }
    CPU_FREE(set);
    if (!too_small) break;
  }
  return numbers;
}

int allowed_cpus() {
  std::ifstream file("/proc/self/cgroup");
  const std::string membership(std::istreambuf_iterator<char>(file), {});
  const auto affine = static_cast<int>(affinity_cpus().size());
  const int cpus =
      std::max(1, affine > 0 ? affine : static_cast<int>(std::thread::hardware_concurrency()));
  const double quota = std::ceil(cgroup_quota(membership, "/sys/fs/cgroup"));
  return quota < cpus ? std::max(1, static_cast<int>(quota)) : cpus;
}

}  // namespace gradmill
