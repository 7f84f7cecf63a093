#pragma once

#include <functional>

namespace gradmill {

/// For a program's main(): runs `work` and returns its exit status. An Error becomes one line on
/// stderr and the exit status 2, any other failure (a full disk behind stdout included) one line
/// and 1.
int guarded(const std::function<int()>& work);

}  // namespace gradmill
