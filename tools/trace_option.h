#pragma once

#include <memory>
#include <string>

#include <gradmill/runtime/trace_file.h>

namespace gradmill {

/// The file of `--trace`. Throws Error and Failure as TraceFile does, the former naming the option.
std::shared_ptr<TraceFile> open_trace(const std::string& path);

}  // namespace gradmill
