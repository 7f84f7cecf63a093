#include "commands/tuning_file.h"

#include <gradmill/runtime/error.h>

namespace gradmill {

std::shared_ptr<const Tuning> load_tuning(const std::string& path) {
  if (path.empty()) return nullptr;
  try {
    return std::make_shared<const Tuning>(Tuning::load(path));
  } catch (const Failure&) {
    throw;
  } catch (const Error& error) {
    fail("--tuning ", error.what());
  }
}

}  // namespace gradmill
