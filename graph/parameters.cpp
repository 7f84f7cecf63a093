#include <gradmill/graph/parameters.h>

#include <cstring>
#include <mutex>
#include <utility>

#include <gradmill/graph/parameters/store.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/safetensors.h>

namespace gradmill {
namespace {

constexpr std::string_view kStatePrefix = "optimizer.";

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text.empty() ? "none" : text;
}

using Variable = ParameterStore::Variable;
using Variables = ParameterStore::Variables;

// By name, as files and messages list them.
std::map<std::string_view, const Variable*> in_order(const Variables& variables) {
  std::map<std::string_view, const Variable*> ordered;
  for (const auto& [name, variable] : variables) ordered.emplace(name, &variable);
  return ordered;
}

std::vector<NamedTensor> tensors_of(const Parameters& parameters) {
  std::vector<NamedTensor> tensors;
  tensors.reserve(parameters.names().size());
  for (const std::string& name : parameters.names()) {
    tensors.push_back({name, parameters.view(name)});
  }
  return tensors;
}

void load_state(ParameterStore& store, const SafetensorsFile& file) {
  // Moments of the values that were replaced mean nothing for the new ones.
  for (const auto& [name, state] : store.state) {
    std::memset(state.bytes.data(), 0, state.type.bytes());
  }
  for (const NamedTensor& tensor : file.tensors()) {
    if (!tensor.name.starts_with(kStatePrefix)) continue;
    const std::string name = tensor.name.substr(kStatePrefix.size());
    if (store.parameters.contains(name)) continue;  // no name is in both
    const Type& type = tensor.tensor.type;
    // What a session will ask for may not be there yet.
    Variable& state =
        store.state.try_emplace(name, Variable{type, Arena(type.bytes())}).first->second;
    std::memcpy(state.bytes.data(), tensor.tensor.data, type.bytes());
  }
  if (const auto step = file.metadata().find("step"); step != file.metadata().end()) {
    store.step = std::stoull(step->second);
  }
}

const Variable& find(const Parameters& parameters, std::string_view name) {
  const Variables& variables = parameters.store().parameters;
  const auto found = variables.find(name);
  if (found == variables.end()) {
    fail("no parameter '", name, "'; there are: ", list(parameters.names()));
  }
  return found->second;
}

}  // namespace

Parameters::Parameters(const Graph& graph, std::uint64_t seed)
    : store_(std::make_unique<ParameterStore>()) {
  for (const Node& node : graph.nodes()) {
    if (node.kind != NodeKind::parameter) continue;
    const Type& type = node.outputs[0];
    Variable variable{type, Arena(type.bytes())};
    if (node.initializer) {
      node.initializer->fill(type, variable.bytes.data(), seed, node.name);
    }
    const bool added = store_->parameters.try_emplace(node.name, std::move(variable)).second;
    check(added, "parameter '", node.name, "': the name is used twice");
    names_.push_back(node.name);
  }
}

Parameters::~Parameters() = default;

bool Parameters::contains(std::string_view name) const { return store_->parameters.contains(name); }

std::uint64_t Parameters::step() const { return store_->step; }

TensorView Parameters::view(std::string_view name) const {
  const Variable& variable = find(*this, name);
  return {variable.type, variable.bytes.data()};
}

void Parameters::assign_bytes(std::string_view name, DType dtype,
                              std::span<const std::byte> bytes) {
  const Variable& variable = find(*this, name);
  check(dtype == variable.type.dtype && bytes.size() == variable.type.bytes(), "parameter '", name,
        "' is ", variable.type, ": cannot assign ", bytes.size() / size_of(dtype), " values of ",
        to_string(dtype));
  const std::unique_lock lock(store_->mutex);
  std::memcpy(variable.bytes.data(), bytes.data(), bytes.size());
}

void Parameters::save(const std::string& path,
                      const std::map<std::string, std::string>& metadata) const {
  const std::shared_lock lock(store_->mutex);
  write_safetensors(path, tensors_of(*this), metadata);
}

void Parameters::save_training(const std::string& path,
                               std::map<std::string, std::string> metadata) const {
  const std::shared_lock lock(store_->mutex);
  std::vector<NamedTensor> all = tensors_of(*this);
  for (const auto& [name, state] : in_order(store_->state)) {
    all.push_back({cat(kStatePrefix, name), {state->type, state->bytes.data()}});
  }
  metadata["step"] = std::to_string(step());
  write_safetensors(path, all, metadata);
}

void Parameters::load(const std::string& path) {
  const SafetensorsFile file(path);
  std::string problems;
  for (const auto& [name, variable] : in_order(store_->parameters)) {
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
  for (const auto& [name, state] : in_order(store_->state)) {
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

  const std::unique_lock lock(store_->mutex);
  for (const auto& [name, variable] : store_->parameters) {
    std::memcpy(variable.bytes.data(), file.find(name)->data, variable.type.bytes());
  }
  load_state(*store_, file);
}

}  // namespace gradmill
