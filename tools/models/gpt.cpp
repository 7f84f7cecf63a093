#include "models/gpt.h"

#include <cstddef>
#include <map>
#include <numeric>
#include <span>
#include <utility>

#include <gradmill/ops/activation.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/attention.h>
#include <gradmill/ops/dropout.h>
#include <gradmill/ops/embedding.h>
#include <gradmill/ops/layer_norm.h>
#include <gradmill/ops/linear.h>
#include <gradmill/ops/linear_cross_entropy.h>
#include <gradmill/ops/reshape.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::int64_t kMlpFactor = 4;
constexpr std::int64_t kMaxLayers = 10'000;

const std::map<std::string, GptConfig>& configs() {
  static const std::map<std::string, GptConfig> configs = {
      {"gpt-char",
       {.vocab = 256, .layers = 6, .width = 384, .heads = 6, .context = 256, .tied = false}},
      {"gpt-mini",
       {.vocab = 8192, .layers = 4, .width = 256, .heads = 4, .context = 128, .tied = false}},
      {"gpt2-124m",
       {.vocab = 50257, .layers = 12, .width = 768, .heads = 12, .context = 1024, .tied = true}},
  };
  return configs;
}

/// Puts the parts of a model into a graph.
class Builder {
 public:
  Builder(Graph& graph, const GptConfig& config, double initial_std, DType dtype)
      : graph_(graph),
        config_(config),
        dtype_(dtype),
        initial_(initial_std == 0 ? Initializer::zeros() : Initializer::normal(0, initial_std)) {}

  Value weight(const std::string& name, std::int64_t rows, std::int64_t columns) {
    return graph_.parameter(name, {rows, columns}, initial_, dtype_);
  }

  Value drop(Value x, const std::string& name) {
    return config_.dropout > 0 ? dropout(x, config_.dropout, name) : x;
  }

  Value norm(Value x, const std::string& name) {
    const Value scale =
        graph_.parameter(name + ".weight", {config_.width}, Initializer::constant(1), dtype_);
    const Value shift =
        graph_.parameter(name + ".bias", {config_.width}, Initializer::zeros(), dtype_);
    return layer_norm(x, {config_.width}, {.weight = scale, .bias = shift}, name);
  }

  Value project(Value x, std::int64_t size, const std::string& name) {
    const Value w = weight(name + ".weight", size, x.shape()[x.shape().rank() - 1]);
    const Value b = graph_.parameter(name + ".bias", {size}, Initializer::zeros(), dtype_);
    return linear(x, w, b, name);
  }

  Value attend(Value x, const std::string& name) {
    const Value qkv = project(x, 3 * config_.width, name + ".c_attn");
    const Value mixed = self_attention(qkv, config_.heads, {.is_causal = true}, name);
    return drop(project(mixed, config_.width, name + ".c_proj"), name + ".dropout");
  }

  Value think(Value x, const std::string& name) {
    const Value hidden = project(x, kMlpFactor * config_.width, name + ".c_fc");
    const Value active = gelu(hidden, Approximate::tanh, name + ".gelu");
    return drop(project(active, config_.width, name + ".c_proj"), name + ".dropout");
  }

  Value layer(Value x, const std::string& name) {
    x = add(x, attend(norm(x, name + ".ln_1"), name + ".attn"), name + ".attn.residual");
    return add(x, think(norm(x, name + ".ln_2"), name + ".mlp"), name + ".mlp.residual");
  }

 private:
  Graph& graph_;
  const GptConfig& config_;
  DType dtype_;
  Initializer initial_;
};

}  // namespace

GptConfig gpt_config(const std::string& name) {
  const auto found = configs().find(name);
  if (found == configs().end()) {
    std::string known;
    for (const std::string& other : gpt_names()) known += (known.empty() ? "" : ", ") + other;
    fail("'", name, "' is not a GPT, there are ", known);
  }
  return found->second;
}

std::vector<std::string> gpt_names() {
  std::vector<std::string> names;
  for (const auto& [name, config] : configs()) names.push_back(name);
  return names;
}

void check_gpt_config(const GptConfig& config) {
  for (const auto& [what, size] : {std::pair("vocabulary", config.vocab),
                                   {"number of layers", config.layers},
                                   {"width", config.width},
                                   {"number of heads", config.heads},
                                   {"context", config.context}}) {
    check(size >= 1, "a GPT's ", what, " must be at least 1, got ", size);
  }
  check(config.layers <= kMaxLayers, "a GPT has at most ", kMaxLayers, " layers here, got ",
        config.layers);
  check(config.width % config.heads == 0, "a GPT's heads divide its width, but ", config.heads,
        " do not divide ", config.width);
  check(config.dropout >= 0 && config.dropout < 1, "a GPT's dropout must be in [0, 1), got ",
        config.dropout);
}

std::string to_string(const GptConfig& config) {
  return cat(config.layers, config.layers == 1 ? " layer, " : " layers, ", config.width, " wide, ",
             config.heads, config.heads == 1 ? " head" : " heads", ", context ", config.context,
             ", vocabulary ", config.vocab, config.tied ? ", tied" : "");
}

std::vector<GptParameter> gpt_parameters(const GptConfig& config) {
  const std::int64_t width = config.width;
  std::vector<GptParameter> all = {{"wte.weight", {config.vocab, width}},
                                   {"wpe.weight", {config.context, width}}};
  const auto norm = [&](const std::string& name) {
    all.push_back({name + ".weight", {width}});
    all.push_back({name + ".bias", {width}});
  };
  const auto project = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    all.push_back({name + ".weight", {out, in}, true});
    all.push_back({name + ".bias", {out}});
  };
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string name = cat("h.", layer);
    norm(name + ".ln_1");
    project(name + ".attn.c_attn", 3 * width, width);
    project(name + ".attn.c_proj", width, width);
    norm(name + ".ln_2");
    project(name + ".mlp.c_fc", kMlpFactor * width, width);
    project(name + ".mlp.c_proj", width, kMlpFactor * width);
  }
  norm("ln_f");
  if (!config.tied) all.push_back({"lm_head.weight", {config.vocab, width}});
  return all;
}

std::int64_t gpt_parameter_count(const GptConfig& config) {
  std::int64_t count = 0;
  for (const GptParameter& parameter : gpt_parameters(config)) {
    count += Shape(parameter.sizes).elements();
  }
  return count;
}

GptValues add_gpt(Graph& graph, const GptConfig& config, std::int64_t batch, std::int64_t length,
                  double initial_std, DType dtype) {
  check_gpt_config(config);
  check(batch >= 1, "a GPT's batch must be at least 1, got ", batch);
  check(length >= 1 && length <= config.context, "a GPT with context ", config.context,
        " takes 1 to that many tokens, got ", length);
  Builder build(graph, config, initial_std, dtype);
  GptValues gpt;
  gpt.batch = batch;
  gpt.length = length;
  gpt.tokens = graph.input("tokens", {batch, length}, DType::i64);
  gpt.targets = graph.input("targets", {batch, length}, DType::i64);

  std::vector<std::int64_t> numbers(static_cast<std::size_t>(length));
  std::iota(numbers.begin(), numbers.end(), 0);
  const Value positions = graph.constant(std::span<const std::int64_t>(numbers), {length});
  const Value wte = build.weight("wte.weight", config.vocab, config.width);
  const Value wpe = build.weight("wpe.weight", config.context, config.width);
  Value x =
      add(embedding(gpt.tokens, wte, {}, "wte"), embedding(positions, wpe, {}, "wpe"), "embedded");
  x = build.drop(x, "dropout");
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    x = build.layer(x, cat("h.", layer));
  }
  x = build.norm(x, "ln_f");

  const Value head = config.tied ? wte : build.weight("lm_head.weight", config.vocab, config.width);
  gpt.loss = linear_cross_entropy(x, head, gpt.targets, {}, "loss");
  gpt.logits = linear(x, head, {}, "logits");
  gpt.place = graph.input("place", {1}, DType::i64);
  const Value last = embedding(gpt.place, reshape(x, {batch * length, config.width}), {}, "last");
  gpt.next = linear(last, head, {}, "next");
  return gpt;
}

Gpt::Gpt(const GptConfig& config, std::int64_t rows, std::int64_t tokens_a_row, double initial_std,
         DType dtype) {
  static_cast<GptValues&>(*this) = add_gpt(graph, config, rows, tokens_a_row, initial_std, dtype);
}

}  // namespace gradmill
