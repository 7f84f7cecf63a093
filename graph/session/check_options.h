#pragma once

#include <gradmill/graph/graph.h>
#include <gradmill/graph/session_options.h>

namespace gradmill {

/// Throws Error, naming `what`, when a value is null or of another graph.
void check_session_value(const char* what, const Value& value, const Graph& graph);

/// Throws Error when options for a session on `graph` are out of range, contradict each other, or
/// name what is not of the graph.
void check_session_options(const SessionOptions& options, const Graph& graph);

}  // namespace gradmill
