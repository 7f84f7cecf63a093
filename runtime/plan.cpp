#include <gradmill/runtime/plan.h>

#include <gradmill/runtime/error.h>

namespace gradmill {

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::forward: return "forward";
    case Phase::backward: return "backward";
    case Phase::update: return "update";
  }
  return "?";
}

std::size_t bytes_in(const Plan& plan, Place place) {
  std::size_t bytes = 0;
  for (const PlanBuffer& buffer : plan.buffers) {
    if (buffer.place == place) bytes += buffer.bytes;
  }
  return bytes;
}

void validate(const Plan& plan) {
  const int buffers = static_cast<int>(plan.buffers.size());
  for (int index = 0; index < static_cast<int>(plan.steps.size()); ++index) {
    const PlanStep& step = plan.steps[static_cast<std::size_t>(index)];
    check(step.kernel != nullptr, "plan: step ", index, " '", step.name, "': ", "has no kernel");
    check(step.tiles > 0, "plan: step ", index, " '", step.name, "': ", "has ", step.tiles,
          " tiles; at least 1 is needed");
    for (const auto* list : {&step.inputs, &step.outputs, &step.writes}) {
      for (const int buffer : *list) {
        check(buffer >= 0 && buffer < buffers, "plan: step ", index, " '", step.name,
              "': ", "names buffer ", buffer, " of ", buffers);
      }
    }
    check(step.workspace >= -1 && step.workspace < buffers, "plan: step ", index, " '", step.name,
          "': ", "names workspace ", step.workspace, " of ", buffers);
    for (const int predecessor : step.predecessors) {
      check(predecessor >= 0 && predecessor < index, "plan: step ", index, " '", step.name,
            "': ", "must follow step ", predecessor,
            ", which is not before it: the order has a cycle");
    }
  }
  for (const PlanBuffer& buffer : plan.buffers) {
    if (buffer.place != Place::arena) continue;
    check(buffer.offset <= plan.arena_bytes && buffer.bytes <= plan.arena_bytes - buffer.offset,
          "plan: buffer '", buffer.name, "' ends outside the arena of ", plan.arena_bytes,
          " bytes");
  }
}

}  // namespace gradmill
