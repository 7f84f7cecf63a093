#include <gradmill/runtime/threads/short_slice.h>

#include <linux/sched.h>
#include <linux/sched/types.h>  // clashes with glibc's <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gradmill {
namespace {

constexpr std::uint64_t kSlice = 100'000;  // ns, the shortest that the system grants

bool get(sched_attr& attributes) {
  return syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) == 0;
}

// Policy and nice value stay as they are.
bool set(sched_attr& attributes, std::uint64_t slice) {
  attributes.sched_runtime = slice;
  return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
}

}  // namespace

ShortSlice::ShortSlice() {
  sched_attr attributes{};
  if (!get(attributes) || attributes.sched_policy != SCHED_NORMAL) return;
  const std::uint64_t previous = attributes.sched_runtime;  // 0 before Linux 6.12
  if (previous <= kSlice) return;
  if (set(attributes, kSlice)) previous_ = previous;
}

ShortSlice::~ShortSlice() {
  if (previous_ == 0) return;
  sched_attr attributes{};
  if (get(attributes)) set(attributes, previous_);
}

}  // namespace gradmill
