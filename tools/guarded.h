#pragma once

#include <functional>

namespace gradmill {

/// What a program's main() does: runs `work` and returns its exit status. What goes wrong, a full
/// disk behind stdout included, becomes one line on stderr and the exit status 2 for an Error and 1
/// for anything else.
int guarded(const std::function<int()>& work);

}  // namespace gradmill
