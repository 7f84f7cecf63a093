#pragma once

#include <string>
#include <vector>

#include <gradmill/runtime/plan.h>

namespace gradmill {

/// The plan as a table: one line per step in execution order with phase, op, name, shapes, the
/// bytes that it takes besides its inputs ("in place" where a result lies over one), tiles and
/// kernel; then the memory planned with and without reuse and the longest path in steps and in
/// FLOPs.
GRADMILL_API std::string plan_text(const Plan& plan);

/// What a picture of a plan shows besides the plan.
struct PlanPicture {
  /// Milliseconds of each step: they are written beside it, and decide its colour, from white to
  /// red for the longest. By default steps are coloured by phase.
  std::vector<double> step_ms = {};
  /// The steps of the critical path, in order, drawn bold; by default the longest chain as
  /// estimated from FLOPs and bytes.
  std::vector<int> critical = {};
};

/// The same as a Graphviz digraph: one node per step, one edge per dependency. Throws Error when
/// the picture is of another number of steps.
GRADMILL_API std::string plan_dot(const Plan& plan, const PlanPicture& picture = {});

/// The same as one JSON object, numbers in bytes and FLOPs; a step's inputs, outputs and workspace
/// are numbers of buffers.
GRADMILL_API std::string plan_json(const Plan& plan);

}  // namespace gradmill
