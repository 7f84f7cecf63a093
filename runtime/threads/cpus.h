#pragma once

#include <gradmill/runtime/export.h>

#include <string>
#include <vector>

namespace gradmill {

/// How many cores this process may use: the affinity mask, cut to the cgroup's CPU quota (v1 and
/// v2, rounded up, every level up to the root). At least 1.
GRADMILL_API int allowed_cpus();

/// The numbers of the cores in this process's affinity mask, in ascending order; none where the
/// system does not tell.
GRADMILL_API std::vector<int> affinity_cpus();

/// The CPU quota of a cgroup in cores, infinite where there is none: the smallest on the way from
/// the group to the root. `membership` is the text of /proc/self/cgroup, `root` the folder in which
/// the hierarchies are mounted (/sys/fs/cgroup).
GRADMILL_API double cgroup_quota(const std::string& membership, const std::string& root);

}  // namespace gradmill
