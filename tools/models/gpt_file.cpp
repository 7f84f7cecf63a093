#include "models/gpt_file.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::string_view kOptimizerPrefix = "optimizer.";  // of Parameters::save_training
constexpr std::string_view kPrefix = "transformer.";
constexpr std::int64_t kHeadWidth = 64;  // of all of GPT-2's sizes

/// N of "h.N.rest".
std::optional<std::string_view> layer_of(std::string_view name) {
  if (!name.starts_with("h.")) return std::nullopt;
  name.remove_prefix(2);
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return name.substr(0, dot);
}

/// Attention masks, which follow from the context.
bool is_mask(std::string_view name) {
  return layer_of(name) && (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"));
}

bool equal(const TensorView& a, const TensorView& b) {
  return a.type == b.type && std::memcmp(a.data, b.data, a.type.bytes()) == 0;
}

/// [in, out] to [out, in].
std::vector<float> transposed(const TensorView& weight) {
  const auto from = weight.as<float>();
  const auto rows = static_cast<std::size_t>(weight.type.shape[0]);
  const auto columns = static_cast<std::size_t>(weight.type.shape[1]);
  std::vector<float> to(from.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
  }
  return to;
}

}  // namespace

GptFile::GptFile(const std::string& path, std::int64_t heads) : path_(path), file_(path) {
  for (const NamedTensor& tensor : file_.tensors()) {
    if (tensor.name.starts_with(kOptimizerPrefix)) continue;
    std::string name = tensor.name;
    if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
    if (is_mask(name)) continue;
    check(tensors_.emplace(name, &tensor.tensor).second, path, ": has ", name, " and ", kPrefix,
          name);
  }
  read_sizes();
  check_tensors();
  config_.heads = heads > 0 ? heads : read_heads();
  try {
    check_gpt_config(config_);
  } catch (const Error& error) {
    fail(path, ": ", error.what());
  }
}

void GptFile::read_sizes() {
  // If a size cannot be read, check_tensors reports the tensor that should have it.
  const auto size = [&](const std::string& name, int axis) -> std::int64_t {
    const auto found = tensors_.find(name);
    if (found == tensors_.end() || found->second->type.shape.rank() != 2) return 0;
    return found->second->type.shape[axis];
  };
  config_.vocab = size("wte.weight", 0);
  config_.width = size("wte.weight", 1);
  check(config_.width > 0, path_, ": not a GPT-2: it has no wte.weight [vocabulary, width]");
  config_.context = std::max<std::int64_t>(size("wpe.weight", 0), 1);
  config_.layers = count_layers();
  published_ = size("h.0.attn.c_attn.weight", 0) == config_.width;
  config_.tied = true;
  if (const auto head = tensors_.find("lm_head.weight"); head != tensors_.end()) {
    config_.tied = equal(*head->second, *tensors_.at("wte.weight"));
    if (config_.tied) tensors_.erase(head);
  }
}

std::int64_t GptFile::count_layers() const {
  // Counted, not taken from the largest index, which a damaged name could make absurdly large.
  std::set<std::string_view> layers;
  for (const auto& [name, tensor] : tensors_) {
    if (const auto layer = layer_of(name)) layers.insert(*layer);
  }
  check(!layers.empty(), path_, ": not a GPT-2: it has no layer h.0");
  return static_cast<std::int64_t>(layers.size());
}

std::int64_t GptFile::read_heads() const {
  const auto told = file_.metadata().find("heads");
  if (told != file_.metadata().end()) {
    std::int64_t heads = 0;
    const char* end = told->second.data() + told->second.size();
    const auto [read, error] = std::from_chars(told->second.data(), end, heads);
    check(error == std::errc() && read == end && heads > 0, path_, ": its metadata says '",
          told->second, "' heads");
    return heads;
  }
  check(config_.width % kHeadWidth == 0, path_, ": does not say how many heads it has, and ",
        config_.width, " is not a multiple of GPT-2's head width of ", kHeadWidth);
  return config_.width / kHeadWidth;
}

void GptFile::check_tensors() const {
  std::string problems;
  std::set<std::string_view> known;
  for (GptParameter& parameter : gpt_parameters(config_)) {
    if (parameter.transposed && published_) std::ranges::reverse(parameter.sizes);
    const auto found = tensors_.find(parameter.name);
    const Type expected{DType::f32, Shape(parameter.sizes)};
    if (found == tensors_.end()) {
      problems += cat("\n  '", parameter.name, "' ", expected, ": not in the file");
      continue;
    }
    known.insert(found->first);
    if (found->second->type != expected) {
      problems +=
          cat("\n  '", parameter.name, "' ", expected, ": the file has ", found->second->type);
    }
  }
  for (const auto& [name, tensor] : tensors_) {
    if (!known.contains(name)) problems += cat("\n  '", name, "' ", tensor->type, ": unknown");
  }
  check(problems.empty(), path_, ": not a GPT-2 of ", config_.layers, " layers and width ",
        config_.width, ":", problems);
}

void GptFile::copy_to(Parameters& parameters) const {
  for (const GptParameter& parameter : gpt_parameters(config_)) {
    const TensorView& tensor = *tensors_.at(parameter.name);
    if (parameter.transposed && published_) {
      parameters.assign<float>(parameter.name, transposed(tensor));
    } else {
      parameters.assign(parameter.name, std::span<const float>(tensor.as<float>()));
    }
  }
}

std::map<std::string, std::string> gpt_metadata(const GptConfig& config) {
  return {{"model", "gpt"}, {"heads", std::to_string(config.heads)}};
}

}  // namespace gradmill
