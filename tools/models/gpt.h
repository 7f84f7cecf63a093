#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradmill/graph/graph.h>

namespace gradmill {

/// Sizes of a GPT-2: A. Radford et al., "Language models are unsupervised multitask learners"
/// (2019).
struct GptConfig {
  std::int64_t vocab = 256;  ///< different tokens
  std::int64_t layers = 6;
  std::int64_t width = 384;    ///< of the embedding
  std::int64_t heads = 6;      ///< attention heads, which divide the width among them
  std::int64_t context = 256;  ///< max tokens that it sees
  double dropout = 0;          ///< after the embeddings and each branch; not within attention
  bool tied = false;           ///< whether logits use the weight of the embedding

  friend bool operator==(const GptConfig&, const GptConfig&) = default;
};

/// "gpt-char" (bytes, 6 layers of 384), "gpt-mini" (8192 tokens, 4 layers of 256) or "gpt2-124m"
/// (GPT-2's smallest). Throws Error for another name, listing these.
GptConfig gpt_config(const std::string& name);
/// The names of `gpt_config`.
std::vector<std::string> gpt_names();

/// Throws Error, saying which rule is broken, unless all sizes are positive, `heads` divides
/// `width`, and dropout is in [0, 1).
void check_gpt_config(const GptConfig& config);

/// "6 layers, 384 wide, 6 heads, context 256, vocabulary 256".
std::string to_string(const GptConfig& config);

/// A parameter of `Gpt`.
struct GptParameter {
  std::string name;
  std::vector<std::int64_t> sizes;
  bool transposed = false;  ///< in the files of GPT-2, whose linear weights are [in, out]

  friend bool operator==(const GptParameter&, const GptParameter&) = default;
};

/// All of them, with GPT-2's names.
std::vector<GptParameter> gpt_parameters(const GptConfig& config);

/// The number of elements of all parameters.
std::int64_t gpt_parameter_count(const GptConfig& config);

/// The values of a GPT in a graph, for one batch size and length: from each token and those before
/// it come the logits of the next token. Graphs of the same config share parameters, whatever their
/// batch and length.
///
/// A token's embedding plus its position's goes through `layers` times
///   x += c_proj(self_attention(c_attn(ln_1(x)))),   x += c_proj(gelu_tanh(c_fc(ln_2(x)))),
/// then ln_f and the product with lm_head.weight, or wte.weight where they are tied.
struct GptValues {
  static constexpr double kInitialStd = 0.02;

  std::int64_t batch = 0;
  std::int64_t length = 0;
  Value tokens;   ///< i64 [batch, length]
  Value targets;  ///< i64 [batch, length], what follows each token; only the loss reads it
  Value loss;     ///< scalar, the mean cross-entropy; stores no logits
  Value logits;   ///< [batch, length, vocab]
  Value place;    ///< i64 [1], row * length + position; only `next` reads it
  Value next;     ///< [1, vocab], the logits of that place only
};

/// Adds a GPT to a graph. Weights start as N(0, initial_std), biases as 0, norms as the identity;
/// f64 is for comparisons and gradient checks, since files hold f32. An `initial_std` of 0 saves
/// the time of drawing values that are then loaded. Throws Error as check_gpt_config, for a batch
/// below 1, and for a length that is not 1 to `context`.
GptValues add_gpt(Graph& graph, const GptConfig& config, std::int64_t batch, std::int64_t length,
                  double initial_std = GptValues::kInitialStd, DType dtype = DType::f32);

/// A GPT with a graph of its own, and arguments as of `add_gpt`.
struct Gpt : GptValues {
  Gpt(const GptConfig& config, std::int64_t batch, std::int64_t length,
      double initial_std = kInitialStd, DType dtype = DType::f32);

  Graph graph;
};

}  // namespace gradmill
