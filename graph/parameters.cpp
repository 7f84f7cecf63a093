#include <gradmill/graph/parameters.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/safetensors.h>

#include <cstring>
#include <mutex>
#include <utility>

namespace gradmill {
namespace {

constexpr std::string_view kStatePrefix = "optimizer.";

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text.empty() ? "none" : text;
}

}  // namespace

Parameters::Parameters(const Graph& graph, std::uint64_t seed) {
  for (const Node& node : graph.nodes()) {
    if (node.kind != NodeKind::parameter) continue;
    const Type& type = node.outputs[0];
    Variable variable{type, Arena(type.bytes())};
    if (node.initializer) {
      node.initializer->fill(type, variable.bytes.data(), seed, node.name);
    }
    const bool added = variables_.try_emplace(node.name, std::move(variable)).second;
    check(added, "parameter '", node.name, "': the name is used twice");
    names_.push_back(node.name);
  }
}

Parameters::~Parameters() = default;

bool Parameters::contains(std::string_view name) const {
  return variables_.find(name) != variables_.end();
}

const Parameters::Variable& Parameters::at(std::string_view name) const {
  const auto found = variables_.find(name);
  if (found == variables_.end()) fail("no parameter '", name, "'; there are: ", list(names_));
  return found->second;
}

TensorView Parameters::view(std::string_view name) const {
  const Variable& variable = at(name);
  return {variable.type, variable.bytes.data()};
}

void Parameters::assign_bytes(std::string_view name, DType dtype,
                              std::span<const std::byte> bytes) {
  const Variable& variable = at(name);
  check(dtype == variable.type.dtype && bytes.size() == variable.type.bytes(), "parameter '", name,
        "' is ", variable.type, ": cannot assign ", bytes.size() / size_of(dtype), " values of ",
        to_string(dtype));
  const std::unique_lock lock(mutex_);
  std::memcpy(variable.bytes.data(), bytes.data(), bytes.size());
}

void Parameters::save(const std::string& path,
                      const std::map<std::string, std::string>& metadata) const {
  const std::shared_lock lock(mutex_);
  write_safetensors(path, tensors(), metadata);
}

void Parameters::save_training(const std::string& path,
                               std::map<std::string, std::string> metadata) const {
  const std::shared_lock lock(mutex_);
  std::vector<NamedTensor> all = tensors();
  for (const auto& [name, state] : in_order(state_)) {
    all.push_back({cat(kStatePrefix, name), {state->type, state->bytes.data()}});
  }
  metadata["step"] = std::to_string(step_);
  write_safetensors(path, all, metadata);
}

// By name, as files and messages list them.
std::map<std::string_view, const Parameters::Variable*> Parameters::in_order(
    const Variables& variables) {
  std::map<std::string_view, const Variable*> ordered;
  for (const auto& [name, variable] : variables) ordered.emplace(name, &variable);
  return ordered;
}

std::vector<NamedTensor> Parameters::tensors() const {
  std::vector<NamedTensor> tensors;
  tensors.reserve(names_.size());
  for (const std::string& name : names_) tensors.push_back({name, view(name)});
  return tensors;
}

void Parameters::load(const std::string& path) {
  const SafetensorsFile file(path);
  std::string problems;
  for (const auto& [name, variable] : in_order(variables_)) {
    const TensorView* tensor = file.find(name);
    if (tensor == nullptr) {
      problems += cat("\n  '", name, "' ", variable->type, ": not in the file");
    } else if (tensor->type != variable->type) {
      problems += cat("\n  '", name, "' ", variable->type, ": the file has ", tensor->type);
    }
  }
  for (const NamedTensor& tensor : file.tensors()) {
    if (!contains(tensor.name) && !tensor.name.starts_with(kStatePrefix)) {
      problems += cat("\n  '", tensor.name, "' ", tensor.tensor.type, ": no such parameter");
    }
  }
  for (const auto& [name, state] : in_order(state_)) {
    const TensorView* tensor = file.find(cat(kStatePrefix, name));
    if (tensor != nullptr && tensor->type != state->type) {
      problems +=
          cat("\n  optimizer state '", name, "' ", state->type, ": the file has ", tensor->type);
    }
  }
  if (const auto step = file.metadata().find("step"); step != file.metadata().end()) {
    const std::string& text = step->second;
    const bool number = !text.empty() && text.size() < 19 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    if (!number) problems += cat("\n  its metadata say step '", text, "'");
  }
  check(problems.empty(), path, ": does not fit these parameters:", problems);

  const std::unique_lock lock(mutex_);
  for (const auto& [name, variable] : variables_) {
    std::memcpy(variable.bytes.data(), file.find(name)->data, variable.type.bytes());
  }
  load_state(file);
}

void Parameters::load_state(const SafetensorsFile& file) {
  // Moments of the values that were replaced mean nothing for the new ones.
  for (const auto& [name, state] : state_) {
    std::memset(state.bytes.data(), 0, state.type.bytes());
  }
  for (const NamedTensor& tensor : file.tensors()) {
    if (!tensor.name.starts_with(kStatePrefix)) continue;
    const std::string name = tensor.name.substr(kStatePrefix.size());
    if (contains(name)) continue;  // no name is in both
    const Type& type = tensor.tensor.type;
    // What a session will ask for may not be there yet.
    Variable& state = state_.try_emplace(name, Variable{type, Arena(type.bytes())}).first->second;
    std::memcpy(state.bytes.data(), tensor.tensor.data, type.bytes());
  }
  if (const auto step = file.metadata().find("step"); step != file.metadata().end()) {
    step_ = std::stoull(step->second);
  }
}

void* Parameters::address(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  // There is more state than parameters, and no name is in both.
  for (const auto* variables : {&state_, &variables_}) {
    if (const auto found = variables->find(name); found != variables->end()) {
      return found->second.bytes.data();
    }
  }
  return nullptr;
}

void Parameters::ensure_state(const std::string& name, const Type& type) {
  const std::unique_lock lock(mutex_);
  const auto found = state_.find(name);
  if (found == state_.end()) {
    check(!contains(name), "optimizer state '", name, "': a parameter has this name");
    state_.emplace(name, Variable{type, Arena(type.bytes())});
    return;
  }
  check(found->second.type == type, "optimizer state '", name, "' is ", found->second.type,
        ", cannot be ", type);
}

}  // namespace gradmill
