#pragma once

// The training steps that are measured, as plain data: the only place with their names and sizes.
// Needs no library, so that a peer's program can include it as well.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gradmill::bench {

enum class Family : std::uint8_t {
  mlp,       ///< linear layers with relu between them, mean cross-entropy, an update
  branches,  ///< kTowers such networks on one input; their logits are summed, the rest is as above
  matmul,    ///< c = a b, and da and db for an upstream dc that is fed
  cross_entropy,  ///< the mean loss of labels, and the gradient of the logits
  gpt,            ///< a GPT-2 on random tokens, without dropout; mean cross-entropy, an update
  attention,  ///< causal attention of q, k and v, and their gradients for an upstream that is fed
  linear_cross_entropy,  ///< the mean loss of x w^T, and the gradients of x and w
};

enum class Update : std::uint8_t { none, sgd, momentum, adamw };

/// As in tools/models/gpt.h.
struct GptSizes {
  std::int64_t length = 0;  ///< tokens per row, which may be fewer than the context
  std::int64_t vocab = 0;
  std::int64_t layers = 0;
  std::int64_t width = 0;
  std::int64_t heads = 0;
  std::int64_t context = 0;
  bool tied = false;
  std::size_t memory_mib = 0;  ///< budget of the session; 0 for none
};

/// f32 throughout; labels and tokens are i64.
struct Spec {
  std::string name;
  Family family;
  std::int64_t rows;  ///< the batch; matmul: rows of a; attention: rows of q
  /// mlp, branches: the sizes of input, hidden layers and output. matmul: those of a [rows,
  /// sizes[0]] and b [sizes[0], sizes[1]]. cross_entropy: the classes. attention: the heads and the
  /// head width. linear_cross_entropy: the row length and the classes. gpt: none.
  std::vector<std::int64_t> sizes;
  Update update = Update::none;
  GptSizes gpt = {};
  bool by_name = false;  ///< a step takes seconds, so it is measured only if it is named
};

inline constexpr int kTowers = 16;

/// The options of the updates.
inline constexpr double kSgdRate = 0.01;
inline constexpr double kMomentum = 0.9;
inline constexpr double kAdamWRate = 1e-3;
inline constexpr double kAdamWDecay = 0.01;

inline std::vector<Spec> specs() {
  return {
      {"mlp-small", Family::mlp, 64, {784, 128, 10}, Update::momentum},
      {"mlp", Family::mlp, 128, {784, 512, 512, 10}, Update::adamw},
      {"mlp-wide", Family::mlp, 512, {784, 2048, 2048, 10}, Update::adamw},
      {"branches", Family::branches, 32, {128, 128, 128, 10}, Update::sgd},
      {"matmul-64", Family::matmul, 64, {64, 64}},
      {"matmul-1024", Family::matmul, 1024, {1024, 1024}},
      {"matmul-512x768x3072", Family::matmul, 512, {768, 3072}},
      {"cross-entropy-65536x10", Family::cross_entropy, 65536, {10}},
      {"cross-entropy-8192x1000", Family::cross_entropy, 8192, {1000}},
      {"cross-entropy-1024x50257", Family::cross_entropy, 1024, {50257}},
      {"gpt-char", Family::gpt, 4, {}, Update::adamw, {256, 256, 6, 384, 6, 256, false, 240}},
      {"gpt-mini", Family::gpt, 8, {}, Update::adamw, {128, 8192, 4, 256, 4, 128, false, 150}},
      {"gpt2-124m", Family::gpt, 4, {}, Update::adamw, {64, 50257, 12, 768, 12, 1024, true}, true},
      {"attention-1024", Family::attention, 1024, {8, 64}},
      {"linear_cross_entropy-1024x768x50257",
       Family::linear_cross_entropy,
       1024,
       {768, 50257},
       Update::none,
       {},
       true},
  };
}

/// The number of batches that the steps cycle through: enough that small inputs are not always in
/// the cache, and few enough that large ones do not take gigabytes.
inline int batches_of(const Spec& spec) {
  const bool large =
      spec.family == Family::cross_entropy || spec.family == Family::linear_cross_entropy;
  return large ? 2 : 8;
}

}  // namespace gradmill::bench
