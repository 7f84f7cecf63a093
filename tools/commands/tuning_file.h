#pragma once

#include <memory>
#include <string>

#include <gradmill/runtime/tuning.h>

namespace gradmill {

/// The file that --tuning names, for SessionOptions::tuning; null when `path` is empty. Throws
/// Error naming option and file when it is not one that `gradmill tune` wrote.
std::shared_ptr<const Tuning> load_tuning(const std::string& path);

}  // namespace gradmill
