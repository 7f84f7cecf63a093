#include <gradmill/graph/parameters/store.h>

#include <mutex>

#include <gradmill/runtime/error.h>

namespace gradmill {

void* ParameterStore::address(std::string_view name) const {
  const std::shared_lock lock(mutex);
  // There is more state than parameters.
  for (const auto* variables : {&state, &parameters}) {
    if (const auto found = variables->find(name); found != variables->end()) {
      return found->second.bytes.data();
    }
  }
  return nullptr;
}

void ParameterStore::ensure_state(const std::string& name, const Type& type) {
  const std::unique_lock lock(mutex);
  const auto found = state.find(name);
  if (found == state.end()) {
    check(!parameters.contains(name), "optimizer state '", name, "': a parameter has this name");
    state.emplace(name, Variable{type, Arena(type.bytes())});
    return;
  }
  check(found->second.type == type, "optimizer state '", name, "' is ", found->second.type,
        ", cannot be ", type);
}

}  // namespace gradmill
