#pragma once

#include <memory>
#include <string>

#include <gradmill/runtime/trace_file.h>

namespace gradmill {

/// The file of `--trace`. Throws as TraceFile does; an Error names the option.
std::shared_ptr<TraceFile> open_trace(const std::string& path);

}  // namespace gradmill
