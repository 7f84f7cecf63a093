#pragma once

#include <string>

#include <gradmill/graph/graph.h>
#include <gradmill/runtime/plan.h>

namespace gradmill {

/// The plan as a table: one line a step in execution order with phase, op, name, shapes, the bytes
/// that it takes besides its inputs ("in place" where a result lies over one), tiles and kernel;
/// then the memory planned with and without reuse and the longest path in steps and in FLOPs.
GRADMILL_API std::string plan_text(const Plan& plan);

/// The same as a Graphviz digraph: a node a step, coloured by phase, an edge a dependency.
GRADMILL_API std::string plan_dot(const Plan& plan);

/// The same as one JSON object, numbers in bytes and FLOPs; a step's inputs, outputs and workspace
/// are numbers of buffers.
GRADMILL_API std::string plan_json(const Plan& plan);

}  // namespace gradmill
