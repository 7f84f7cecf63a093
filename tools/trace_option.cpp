#include "trace_option.h"

#include <gradmill/runtime/error.h>

namespace gradmill {

std::shared_ptr<TraceFile> open_trace(const std::string& path) {
  try {
    return std::make_shared<TraceFile>(path);
  } catch (const Failure&) {
    throw;
  } catch (const Error& error) {
    fail("--trace ", error.what());
  }
}

}  // namespace gradmill
