#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <tests/support/in_tasks.h>

namespace gradmill {

void in_a_task(void (*body)()) {
  tbb::task_group group;
  group.run_and_wait(body);
}

void in_a_parallel_loop(int count, void (*body)(int)) {
  tbb::task_arena(2).execute([=] { tbb::parallel_for(0, count, body); });
}

std::size_t max_allowed_parallelism() {
  return tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
}

}  // namespace gradmill
