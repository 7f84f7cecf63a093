#pragma once

// oneTBB's templates, kept apart from the tests that use them: their file is built without TSan,
// which cannot see the order that the library behind them imposes.

#include <cstddef>

namespace gradmill {

/// Calls `body` from inside a task.
void in_a_task(void (*body)());

/// Calls `body` with 0 to `count` - 1 from a parallel loop.
void in_a_parallel_loop(int count, void (*body)(int));

/// The process-wide limit on oneTBB's threads.
std::size_t max_allowed_parallelism();

}  // namespace gradmill
